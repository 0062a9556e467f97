"""Efficient: right answers, less where they are longer than the prompt's right answers are."""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.lengths import lengths_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy

_EPSILON = 1e-7


class EfficientParams(Contract):
    alpha: float = Field(default=0.1, ge=0.0, le=1.0)
    """How much of the reward length can cost; the paper tries 0 to 0.4."""
    statistics: Literal["correct", "all"] = "correct"
    """Whose mean and deviation: of the right answers in the group, or of all its answers."""
    require_stop: bool = True
    """An answer that ran into the token limit counts as wrong, whatever it says."""


_FOUR = {"answer": "4"}
_THREE_OF_FOUR = ["4", "4", "4", "5"]
_LENGTHS = [100, 200, 300, 400]
_ALL = {"alpha": 0.2, "statistics": "all"}


@reward(
    source="Arora & Zanette, Training Language Models to Reason Efficiently, arXiv 2502.04463, and "
    "its code",
    vectors=[
        Vector(_THREE_OF_FOUR, [0.954579, 0.9, 0.845421, 0.0], _FOUR, {"alpha": 0.2}, _LENGTHS),
        Vector(_THREE_OF_FOUR, [0.958552, 0.921995, 0.878005, 0.0], _FOUR, _ALL, _LENGTHS),
        Vector(["4", "5"], [0.9, 0.0], _FOUR, {"alpha": 0.2}, [7, 9]),
        Vector(["4", "4"], [0.95, 0.95], _FOUR, {}, [7, 7]),
        Vector(["5", "6"], [0.0, 0.0], _FOUR, {}, [7, 8]),
        Vector(["4", "4"], [1.0, 1.0], _FOUR, {"alpha": 0.0}, [7, 70000]),
        Vector(["4", "4"], [None, None], _FOUR, {}, [7, None]),
        Vector(["4", "4"], [None, None], {}, {}, [7, 8]),
    ],
)
async def efficient(group: RewardGroup, params: EfficientParams, context: Context) -> list[Score]:
    """1[right] · (1 - alpha · sigmoid((len - mean) / (std + 1e-7))), where len is in tokens, and
    mean and population standard deviation are those of the group's right answers.

    Right means that the reward `accuracy` gives 1.0, and that the answer came to its end; null
    where `accuracy` is null, and for the group when the length of one of its answers is unknown.
    """
    lengths = lengths_of(group, "tokens")
    if isinstance(lengths, Missing):
        return [lengths] * len(group.completions)
    correct = [
        0.0 if right == 1.0 and params.require_stop and one.finish_reason != "stop" else right
        for one, right in zip(group.completions, await context.score(accuracy), strict=True)
    ]
    pairs = list(zip(lengths, correct, strict=True))
    counted = [one for one, right in pairs if right == 1.0 or params.statistics == "all"]
    return [
        1.0 - params.alpha * _sigmoid(_deviation(one, counted)) if right == 1.0 else right
        for one, right in pairs
    ]


def _deviation(length: int, lengths: Sequence[int]) -> float:
    mean = statistics.fmean(lengths)
    return (length - mean) / (statistics.pstdev(lengths, mean) + _EPSILON)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
