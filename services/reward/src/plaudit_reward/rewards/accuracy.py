"""Accuracy: is the final answer mathematically equal to the reference?"""

from typing import Literal

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reference import answer_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward


class AccuracyParams(Contract):
    extract: Literal["any", "latex"] = "any"
    """Where an answer is looked for. any: boxed, then what a last line marks with ####, then LaTeX
    or plain numbers, the last one first; latex: only boxed or in LaTeX after "answer", as Open-R1
    does."""


@reward(
    source="Open-R1 rewards.py `accuracy_reward` with Math-Verify",
    vectors=[
        Vector([r"$\boxed{\frac{1}{2}}$", r"\boxed{0.5}", "2"], [1, 1, 0], {"answer": "1/2"}),
        Vector(["18", "It is 18.", "18 or 19", "no idea", ""], [1, 1, 0, 0, 0], {"answer": "18"}),
        Vector(["18", r"\boxed{18}"], [0, 1], {"answer": "18"}, {"extract": "latex"}),
        Vector(["She answered 35 of 40.\n#### 40", "40\n#### 1,040"], [1, 0], {"answer": "40"}),
        Vector(["(1, 2)"], [None]),
        Vector(["4"], [None], {"answer": "what?"}),
    ],
)  # fmt: skip
async def accuracy(group: RewardGroup, params: AccuracyParams, context: Context) -> list[Score]:
    """1.0 if the final answer equals `reference.answer` by Math-Verify, 0.0 if another answer, or
    none at all, can be found.

    Null: the reference is missing or cannot be parsed, or the answer cannot be decided within
    its time and memory (10^{10^{10}}), which says nothing about its truth.
    """
    gold = answer_of(group)
    if isinstance(gold, Missing):
        return [gold] * len(group.completions)
    texts = [completion.text for completion in group.completions]
    return await context.verify(gold, texts, params.extract)
