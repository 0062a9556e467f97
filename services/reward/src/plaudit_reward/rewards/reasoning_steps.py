"""Reasoning steps: does the text show its work step by step?"""

import re
from itertools import islice

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.reward import Context, Score, Vector, reward

_STEP = re.compile(r"Step [0-9]++:|^(?:[0-9]++\.|[-*])|First,|Second,|Next,|Finally,", re.MULTILINE)


class ReasoningStepsParams(Contract):
    num_steps: int = Field(default=3, ge=1, le=1000)
    """Steps that earn everything."""


@reward(
    source="Open-R1 rewards.py `reasoning_steps_reward`, whose numbers count at the start of the "
    "text only, and bullets anywhere but there",
    vectors=[
        Vector(["Step 1: a\nStep 2: b\nStep 3: c", "Step 1: a", ""], [1, 1 / 3, 0]),
        Vector(["1. a\n2. b\n3. c\n4. d", "- a\n* b", "First, a. Finally, b."], [1, 2 / 3, 2 / 3]),
        Vector(["Second, a. Next, b", "first, a", "Step: a", "a 1. b - c"], [2 / 3, 0, 0, 0]),
        Vector(["1. a\n2. b", "Step 1: a"], [1, 0.5], params={"num_steps": 2}),
    ],
)
def reasoning_steps(
    group: RewardGroup, params: ReasoningStepsParams, context: Context
) -> list[Score]:
    """min(1, steps / num_steps), a step being "Step 1:", a line that starts with a number and a
    full stop, with - or *, or one of "First,", "Second,", "Next," and "Finally,".
    """
    return [_num_steps(one.text, params.num_steps) / params.num_steps for one in group.completions]


def _num_steps(text: str, most: int) -> int:
    return sum(1 for _ in islice(_STEP.finditer(text), most))
