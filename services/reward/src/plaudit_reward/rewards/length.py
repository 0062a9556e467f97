"""Length: among right answers, the shorter the better."""

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.lengths import Unit, lengths_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy


class LengthParams(Contract):
    unit: Unit = "tokens"
    """What a completion's length is counted in."""


_FOUR = {"answer": "4"}


@reward(
    source="Kimi k1.5, arXiv 2501.12599 §2.3.3",
    vectors=[
        Vector(["4", "4", "4"], [0.5, 0.0, -0.5], _FOUR, {}, [10, 20, 30]),
        Vector(["4", "5", "5", "5"], [0.5, 0.0, -0.5, 0.0], _FOUR, {}, [10, 20, 30, 10]),
        Vector(["4", "5"], [0.0, 0.0], _FOUR, {}, [7, 7]),
        Vector(["4"], [0.0], _FOUR, {}, [7]),
        Vector(["4", "It is 4", "It is all 5"], [0.5, -0.1, -0.5], _FOUR, {"unit": "characters"}),
        Vector(["4", "4"], [None, None], _FOUR, {}, [7, None]),
        Vector(["4", "4"], [None, None], {}, {}, [7, 8]),
    ],
)
async def length(group: RewardGroup, params: LengthParams, context: Context) -> list[Score]:
    """λ = 0.5 - (len - min) / (max - min) over the group, in tokens or characters; a right answer
    gets λ, a wrong one min(0, λ); 0 when all are equally long.

    Right means that the reward `accuracy` gives 1.0; null where that is null.
    """
    lengths = lengths_of(group, params.unit)
    if isinstance(lengths, Missing):
        return [lengths] * len(group.completions)
    correct = await context.score(accuracy)
    low, high = min(lengths), max(lengths)
    return [
        right if isinstance(right, Missing) else _value(one, low, high, right == 1.0)
        for one, right in zip(lengths, correct, strict=True)
    ]


def _value(length: int, low: int, high: int, correct: bool) -> float:
    if low == high:
        return 0.0
    value = 0.5 - (length - low) / (high - low)
    return value if correct else min(0.0, value)
