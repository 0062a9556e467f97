"""Dense repetition: a penalty on the very tokens that repeat."""

import asyncio
from collections.abc import Sequence

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.ngrams import ngram_ids
from plaudit_reward.reward import Context, Missing, PerToken, Score, Vector, reward


class RepetitionDenseParams(Contract):
    ngram_size: int = Field(default=40, ge=1, le=1024)
    """Tokens in a row that count as one phrase."""
    penalty: float = Field(default=-0.05, le=0.0, allow_inf_nan=False)
    """What each token of a repeated phrase gets."""
    only_start: bool = False
    """Of phrases that repeat without a gap, only the first one's tokens get the penalty."""


_TWO = {"ngram_size": 2, "penalty": -1.0}
_ABABAB = [7, 8, 7, 8, 7, 8]


@reward(
    source="Yeo et al., arXiv 2502.03373 §4.4, code `RepetitionDensePenalty`",
    vectors=[
        Vector(
            ["ababab", "ab"],
            [-4.0, 0.0],
            params=_TWO,
            token_ids=[_ABABAB, [7, 8]],
            expected_tokens=[[0, 0, -1, -1, -1, -1], [0, 0]],
        ),
        Vector(
            ["ababab"],
            [-2.0],
            params=_TWO | {"only_start": True},
            token_ids=[_ABABAB],
            expected_tokens=[[0, 0, -1, -1, 0, 0]],
        ),
        Vector(["", "a"], [0.0, 0.0], token_ids=[[], [7]], expected_tokens=[[], [0]]),
        Vector(["abab"], [None], params=_TWO, num_tokens=[4]),
    ],
)
async def repetition_dense(
    group: RewardGroup, params: RepetitionDenseParams, context: Context
) -> list[Score]:
    """`penalty` for each token of an n-gram of tokens that has occurred before, else 0.0; the
    completion as a whole gets the sum.

    One value per token. Null without `completions.token_ids`. The paper discounts it by a gamma of
    its own (0.99), which is the trainer's to do.
    """
    scores: list[Score] = []
    for completion in group.completions:
        if completion.token_ids is None:
            scores.append(Missing("completions.token_ids is missing"))
        else:
            scores.append(PerToken(_penalties(completion.token_ids, params)))
        await asyncio.sleep(0)  # a long one takes a while: the worker's other requests go on
    return scores


def _penalties(token_ids: Sequence[int], params: RepetitionDenseParams) -> tuple[float, ...]:
    penalties = [0.0] * len(token_ids)
    end, last_end = 0, -1
    for start in _repeated_starts(token_ids, params.ngram_size):
        is_first = start > last_end
        last_end = start + params.ngram_size
        if params.only_start and not is_first:
            continue
        for index in range(max(start, end), last_end):
            penalties[index] = params.penalty
        end = last_end
    return tuple(penalties)


def _repeated_starts(token_ids: Sequence[int], size: int) -> list[int]:
    ids = ngram_ids(token_ids, size)
    seen: set[object] = set()
    starts = []
    for start, one in enumerate(ids or ()):
        if one in seen:
            starts.append(start)
        seen.add(one)
    return starts
