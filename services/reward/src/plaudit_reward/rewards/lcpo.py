"""LCPO: right answers of a length that the prompt asks for.

`plaudit.length_budget` puts the wish into the prompt.
"""

from collections.abc import Callable

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.lengths import length_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy


class LcpoParams(Contract):
    alpha: float = Field(default=0.0003, gt=0.0, allow_inf_nan=False)
    """What a token too many (for `lcpo_exact` also one too few) costs."""
    num_tokens: int | None = Field(default=None, ge=1)
    """The length asked for, where `reference.num_tokens` does not say it."""


class LcpoMaxParams(LcpoParams):
    delta: float = Field(default=0.5, ge=0.0, le=1.0)
    """What a right answer of exactly the length asked for gets."""


Value = Callable[[bool, int], float]
"""From whether the answer is right and how many tokens it is below the length asked for."""

_SOURCE = "Aggarwal & Welleck, L1, arXiv 2503.04697 eq. {}"
_1000 = {"answer": "4", "num_tokens": 1000}
_512 = {"answer": "4", "num_tokens": 512}
_FOUR = {"answer": "4"}


@reward(
    source=_SOURCE.format(1),
    vectors=[
        Vector(["4", "5", "4"], [0.85, -0.18, 1.0], _1000, {}, [1500, 400, 1000]),
        Vector(["4", "5"], [1 - 512 / 3000, -500 / 3000], _512, {"alpha": 1 / 3000}, [0, 1012]),
        Vector(["4", "5"], [0.97, -0.03], _FOUR, {"num_tokens": 200}, [100, 300]),
        Vector(["4"], [1.0], _1000, {"num_tokens": 200}, [1000]),
        Vector(["4", "5"], [None, None], _FOUR, {}, [7, 8]),
        Vector(["4", "4"], [None, 1.0], _1000, {}, [None, 1000]),
        Vector(["4"], [None], {"num_tokens": 1000}, {}, [7]),
    ],
)
async def lcpo_exact(group: RewardGroup, params: LcpoParams, context: Context) -> list[Score]:
    """1[right] - alpha · |n - len|, where n, in tokens, is `reference.num_tokens`, else the
    parameter `num_tokens`; a wrong answer keeps the penalty.

    Right means that the reward `accuracy` gives 1.0; null where that is null, and where n or the
    number of tokens is unknown.
    """

    def value(right: bool, tokens_left: int) -> float:
        return float(right) - params.alpha * abs(tokens_left)

    return await _scores(group, params, context, value)


@reward(
    source=_SOURCE.format(2) + "; its code computes the same with alpha 0.001",
    vectors=[
        Vector(["4"] * 4, [0.65, 0.5, 0.2, 0.0], _1000, {}, [500, 1000, 2000, 3000]),
        Vector(
            ["4"] * 5, [1, 0.75, 0.5, 0.25, 0], _512, {"alpha": 0.001}, [12, 262, 512, 762, 1012]
        ),
        Vector(["4", "5", ""], [1.0, 0.0, 0.0], _512, {"alpha": 1.0}, [0, 0, 512]),
        Vector(["4", "5"], [None, None], _FOUR, {}, [7, 8]),
        Vector(["4"], [None], {"num_tokens": 1000}, {}, [7]),
    ],
)
async def lcpo_max(group: RewardGroup, params: LcpoMaxParams, context: Context) -> list[Score]:
    """1[right] · clip(alpha · (n - len) + delta, 0, 1), where n, in tokens, is
    `reference.num_tokens`, else the parameter `num_tokens`; a wrong answer gets 0.

    Right means that the reward `accuracy` gives 1.0; null where that is null, and where n or the
    number of tokens is unknown.
    """

    def value(right: bool, tokens_left: int) -> float:
        return float(right) * min(1.0, max(0.0, params.alpha * tokens_left + params.delta))

    return await _scores(group, params, context, value)


async def _scores(
    group: RewardGroup, params: LcpoParams, context: Context, value: Value
) -> list[Score]:
    asked_for = _tokens_asked_for(group, params)
    if isinstance(asked_for, Missing):
        return [asked_for] * len(group.completions)
    scores: list[Score] = []
    for completion, right in zip(group.completions, await context.score(accuracy), strict=True):
        length = length_of(completion, "tokens")
        if isinstance(right, Missing):
            scores.append(right)
        elif isinstance(length, Missing):
            scores.append(length)
        else:
            scores.append(value(right == 1.0, asked_for - length))
    return scores


def _tokens_asked_for(group: RewardGroup, params: LcpoParams) -> int | Missing:
    value = group.reference.get("num_tokens")
    if value is None:
        value = params.num_tokens
    if value is None:
        return Missing("reference.num_tokens is missing")
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        return Missing("reference.num_tokens is not a positive whole number")
    return value
