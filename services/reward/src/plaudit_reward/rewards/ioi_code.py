"""IOI: points for subtasks, each as good as its worst test."""

from itertools import accumulate, pairwise
from typing import Literal

from pydantic import Field, TypeAdapter

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.programs import ProgramParams, checked, judge_each, last_block
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.stdio import Test, run_tests


class IoiCodeParams(ProgramParams):
    """The language, limits of one test, and the unit of the score."""

    unit: Literal["points", "fraction"] = "points"
    """points: their sum; fraction: of all points that there are, so that 1.0 is the best."""


class Subtask(Contract):
    """All or nothing: its points, or none."""

    points: float = Field(gt=0.0, allow_inf_nan=False)
    tests: list[Test] = Field(min_length=1)


_SUBTASKS = TypeAdapter(list[Subtask])

_SQUARES = {
    "subtasks": [
        {"points": 30, "tests": [{"stdin": "2", "stdout": "4"}, {"stdin": "0", "stdout": "0"}]},
        {"points": 70, "tests": [{"stdin": "2", "stdout": "4"}, {"stdin": "3", "stdout": "9"}]},
    ]
}
_RIGHT = "```python\nprint(int(input()) ** 2)\n```"
_DOUBLES = "```python\nprint(int(input()) * 2)\n```"
_FOUR = "```python\nprint(4)\n```"


@reward(
    pool="code",
    source="Open-R1 rewards.py `ioi_code_reward` and ioi_scoring.py, where a row is one subtask",
    vectors=[
        Vector([_RIGHT, _DOUBLES, _FOUR, "no code"], [100, 30, 0, 0], _SQUARES),
        Vector([_RIGHT, _DOUBLES], [1.0, 0.3], _SQUARES, {"unit": "fraction"}),
        Vector([_RIGHT], [None]),
        Vector([_RIGHT], [None], {"subtasks": [{"points": 30, "tests": []}]}),
    ],
)
async def ioi_code(group: RewardGroup, params: IoiCodeParams, context: Context) -> list[Score]:
    """Sum of the points of `reference.subtasks`, a list of {points, tests: [{stdin, stdout}]},
    that the last block of `language` earns. A subtask scores as its worst test: its points if every
    test passes as in the reward `code`, else 0. A test that several subtasks share runs once.
    0.0 without such a block. In points, or as a fraction of all points (`unit`).

    Null: there are no subtasks or no tests in one, or the sandbox could not run a test.
    """
    subtasks = checked(_SUBTASKS, group.reference.get("subtasks"), "reference.subtasks")
    if isinstance(subtasks, Missing):
        return [subtasks] * len(group.completions)
    tests = [test for subtask in subtasks for test in subtask.tests]
    best = sum(subtask.points for subtask in subtasks) if params.unit == "fraction" else 1.0

    async def score(program: str) -> Score:
        outcomes = await run_tests(program, tests, params, context)
        if isinstance(outcomes, Missing):
            return outcomes
        return _points(subtasks, [outcome.passed for outcome in outcomes]) / best

    programs = [last_block(one.text, params.language) for one in group.completions]
    return await judge_each(programs, score)


def _points(subtasks: list[Subtask], passed: list[bool]) -> float:
    ends = accumulate((len(subtask.tests) for subtask in subtasks), initial=0)
    spans = zip(subtasks, pairwise(ends), strict=True)
    return sum(subtask.points for subtask, (start, end) in spans if all(passed[start:end]))
