"""Repetition: a penalty for saying the same again."""

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Context, Score, Vector, reward


class RepetitionParams(Contract):
    ngram_size: int = Field(default=3, ge=1, le=64)
    """Words in a row that count as one phrase."""
    max_penalty: float = Field(default=-1.0, le=0.0)
    """What a text that only repeats itself would get."""


@reward(
    source="Yeo et al., arXiv 2502.03373, as in Open-R1 `get_repetition_penalty_reward`; "
    "algorithms.md §2.6, §4.3",
    vectors=[
        Vector(["a b a b a b"], [-0.6], params={"ngram_size": 2}),
        Vector(["a b a b a b"], [-0.3], params={"ngram_size": 2, "max_penalty": -0.5}),
        Vector(["one two", "one two three", ""], [0.0, 0.0, 0.0]),
        Vector(["A b C a B c"], [-0.25]),
    ],
)
def repetition(group: RewardGroup, params: RepetitionParams, context: Context) -> list[Score]:
    """max_penalty · (1 - unique / total) over the n-grams of lower-cased words between spaces;
    0.0 for a text shorter than one n-gram.
    """
    return [
        # Plus zero: a penalty of nothing is 0.0 and not -0.0.
        params.max_penalty * _repeated(completion.text, params.ngram_size) + 0.0
        for completion in group.completions
    ]


def _repeated(text: str, size: int) -> float:
    words = text.lower().split()
    total = len(words) - size + 1
    if total <= 0:
        return 0.0
    unique = len(set(zip(*(words[start:] for start in range(size)), strict=False)))
    return 1.0 - unique / total
