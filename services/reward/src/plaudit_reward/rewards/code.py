"""Code: how many tests the last Python block passes in the sandbox."""

from plaudit.schemas.reward import RewardGroup
from plaudit_reward.programs import ProgramParams, judge_each, last_block
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.stdio import run_tests, tests_of

_ADDS = {"tests": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "5\n", "stdout": "6"}]}


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


class CodeParams(ProgramParams):
    """The language, and limits of one test."""


@reward(
    pool="code",
    source="Open-R1 rewards.py `code_reward`, but whole outputs are compared: there a correct "
    "prefix passes",
    vectors=[
        Vector([_block("print(int(input()) + 1)"), _block("print(2)")], [1.0, 0.5], _ADDS),
        Vector([_block("print(0)") + _block("print(int(input()) + 1)")], [1.0], _ADDS),
        Vector(["print(2)", "", _block("1/0"), _block("print(2); 1/0")], [0, 0, 0, 0], _ADDS),
        Vector([_block("print(2)")], [None]),
    ],
)
async def code(group: RewardGroup, params: CodeParams, context: Context) -> list[Score]:
    """Fraction of `reference.tests`, a list of {stdin, stdout}, that the last block of `language`
    passes: it ends by itself with exit code 0 and prints stdout, whitespace at the ends of lines
    and newlines at the end aside. 0.0 without such a block, and for one that does not compile.

    Null: there are no tests, or the sandbox could not run one of them.
    """
    tests = tests_of(group.reference)
    if isinstance(tests, Missing):
        return [tests] * len(group.completions)

    async def fraction(program: str) -> Score:
        outcomes = await run_tests(program, tests, params, context)
        if isinstance(outcomes, Missing):
            return outcomes
        return sum(outcome.passed for outcome in outcomes) / len(outcomes)

    programs = [last_block(one.text, params.language) for one in group.completions]
    return await judge_each(programs, fraction)


@reward(
    pool="code",
    source="Open-R1 rewards.py `binary_code_reward`, which passes anything over 0.99: one failure "
    "in 101 tests, too",
    vectors=[
        Vector([_block("print(int(input()) + 1)"), _block("print(2)"), ""], [1, 0, 0], _ADDS),
        Vector([_block("print(2)")], [None]),
    ],
)
async def binary_code(group: RewardGroup, params: CodeParams, context: Context) -> list[Score]:
    """1.0 if the last block of `language` passes all of `reference.tests`, else 0.0: whether the
    reward `code` with the same parameters is 1.0. Asked for together, the tests run once.

    Null: where `code` is.
    """
    fractions = await context.score(code, params)
    return [one if isinstance(one, Missing) else float(one == 1.0) for one in fractions]
