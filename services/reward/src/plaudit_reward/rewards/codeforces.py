"""Codeforces: the scoring modes of Open-R1 for competition programs."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.reward import RewardGroup
from plaudit_reward.programs import ProgramParams, judge_each, last_block
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.stdio import Outcome, run_tests, tests_of

Mode = Literal["pass_fail", "partial", "weighted_sum"]


class CodeforcesParams(ProgramParams):
    """The language, limits of one test, and what counts."""

    scoring_mode: Mode = "weighted_sum"
    """pass_fail: 1.0 for all tests, else 0.0; partial: the fraction of tests; weighted_sum:
    pass_fail + 0.1 * partial."""
    no_compile_reward: float = Field(default=-0.1, allow_inf_nan=False)
    """For a program that does not compile; in Python, one with a syntax error."""
    no_submission_reward: float = Field(default=-1.0, allow_inf_nan=False)
    """For a text without a block of `language`."""


_ADDS = {"tests": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "5\n", "stdout": "6"}]}
_TEXTS = [
    "```python\nprint(int(input()) + 1)\n```",
    "```python\nprint(2)\n```",
    "```python\n1/0\n```",
    "```python\nprint(\n```",
    "no code",
]


@reward(
    pool="code",
    source="Open-R1 rewards.py `cf_code_reward` and cf_scoring.py, without its checker programs",
    vectors=[
        Vector(_TEXTS, [1.1, 0.05, 0.0, -0.1, -1.0], _ADDS),
        Vector(_TEXTS, [1.0, 0.5, 0.0, -0.1, -1.0], _ADDS, {"scoring_mode": "partial"}),
        Vector(_TEXTS, [1.0, 0.0, 0.0, -0.1, -1.0], _ADDS, {"scoring_mode": "pass_fail"}),
        Vector(_TEXTS[3:], [0.5, 0.25], _ADDS,
               {"no_compile_reward": 0.5, "no_submission_reward": 0.25}),
        Vector(_TEXTS[:1], [None]),
    ],
)  # fmt: skip
async def codeforces(group: RewardGroup, params: CodeforcesParams, context: Context) -> list[Score]:
    """Of `reference.tests`, a list of {stdin, stdout}, passed as in the reward `code` by the last
    block of `language`: pass_fail = 1.0 if all pass, else 0.0; partial = fraction that passes;
    weighted_sum = pass_fail + 0.1 * partial, so at most 1.1. A block that does not compile gets
    `no_compile_reward`, a text without one `no_submission_reward`.

    Null: there are no tests, or the sandbox could not run one of them.
    """
    tests = tests_of(group.reference)
    if isinstance(tests, Missing):
        return [tests] * len(group.completions)

    async def score(program: str) -> Score:
        outcomes = await run_tests(program, tests, params, context)
        return outcomes if isinstance(outcomes, Missing) else _score(outcomes, params)

    programs = [last_block(one.text, params.language) for one in group.completions]
    return await judge_each(programs, score, params.no_submission_reward)


def _score(outcomes: list[Outcome], params: CodeforcesParams) -> float:
    if not all(outcome.compiled for outcome in outcomes):
        return params.no_compile_reward
    partial = sum(outcome.passed for outcome in outcomes) / len(outcomes)
    pass_fail = float(partial == 1.0)
    if params.scoring_mode == "weighted_sum":
        return pass_fail + 0.1 * partial
    return pass_fail if params.scoring_mode == "pass_fail" else partial
