"""Unit tests: HumanEval's check(candidate), out of the candidate's reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, TypeAdapter

from plaudit.errors import PlauditError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit.schemas.sandbox import Limits
from plaudit_reward.harness.exchange import UnitTests, Verdict, verdict_of
from plaudit_reward.programs import RunParams, checked, judge_each, last_block
from plaudit_reward.reward import Context, Missing, Score, Vector, reward

_MAX_OUTPUT_BYTES = 2**20
_MAX_ROUNDS = 8


class UnitTestsParams(RunParams):
    """Limits of one run: of the candidate with all calls, and of the tests."""


class Reference(Contract):
    """HumanEval's columns."""

    prompt: str = ""
    test: str = Field(min_length=1)
    entry_point: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


_REFERENCE = TypeAdapter(Reference)

_PROMPT = 'def add(a: int, b: int) -> int:\n    """Sum of a and b."""\n'
_CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(2, 2) == 4\n"
_ADD = {"prompt": _PROMPT, "test": _CHECK, "entry_point": "add"}
_EQUALS_ALL = "    class E(int):\n        __eq__ = lambda *_: True\n    return E()"


@reward(
    pool="code",
    source="HumanEval, arXiv 2107.03374, and its execution.py, where tests and candidate share a "
    "process that the candidate may end or change",
    vectors=[
        Vector(["    return a + b", "    pass", "    return 3", ""], [1, 0, 0, 0], _ADD),
        Vector(["```python\ndef add(a, b):\n    return a + b\n```"], [1.0], _ADD),
        Vector(["    import os; os._exit(0)", "    exit(0)", _EQUALS_ALL], [0, 0, 0], _ADD),
        Vector(["    return a + b"], [None]),
        Vector(["    return a + b"], [None], _ADD | {"test": "def check(candidate): pass"}),
    ],
)
async def unit_tests(group: RewardGroup, params: UnitTestsParams, context: Context) -> list[Score]:
    """1.0 if `reference.test`, which defines check(candidate) or asserts on `entry_point` by name,
    passes with the function `reference.entry_point` of the program, else 0.0. The program is
    `reference.prompt` followed by the last ```python block, or by the whole text where there is
    none; a block may also be complete without the prompt.

    The tests run in one process and the program in another that has only the arguments of the
    calls; arguments and results are copies, of plain data (None, bool, int, float, complex, str,
    bytes, list, tuple, set, frozenset, dict). A result of another kind counts as a TypeError.

    Null: the reference is incomplete, its tests never call the function, pass it what is not plain
    data, need answers to find out their calls more than 8 times, or the sandbox could not run.
    """
    reference = checked(_REFERENCE, _columns(group.reference), "reference")
    if isinstance(reference, Missing):
        return [reference] * len(group.completions)
    tests = UnitTests(reference.prompt, reference.test, reference.entry_point)
    trial = Trial(tests, params.limits(_MAX_OUTPUT_BYTES), context)
    start = await trial.start()
    if isinstance(start, Missing):
        return [start] * len(group.completions)
    programs = [_programs(reference.prompt, completion.text) for completion in group.completions]
    return await judge_each(programs, lambda program: trial.score(program, start))


@dataclass(frozen=True)
class Trial:
    """The unit tests of one group."""

    tests: UnitTests
    limits: Limits
    context: Context

    async def start(self) -> Verdict | Missing:
        """Which calls the tests make, the same for every candidate."""
        try:
            verdict = await self._verdict([], "")
        except PlauditError as error:
            return _unavailable(error)
        if verdict is None:
            return Missing("reference.test comes to no end within timeout_s and memory_bytes")
        if verdict.outcome == "unknown":
            return verdict
        return Missing(f"reference.test cannot be run: {verdict.reason}")

    async def score(self, programs: Sequence[str], verdict: Verdict) -> Score:
        try:
            for _ in range(_MAX_ROUNDS):
                request = self.tests.candidate_request(programs, verdict.calls, self.limits)
                answers = await self.context.run(request)
                told = await self._verdict(verdict.calls, answers.stdout)
                if told is None:
                    # Answers too large to look at, or such that the tests run on and on.
                    return 0.0
                if told.outcome != "unknown":
                    return _score(told)
                verdict = told
        except PlauditError as error:
            return _unavailable(error)
        return Missing(f"reference.test asks for more calls after each of {_MAX_ROUNDS} rounds")

    async def _verdict(self, calls: Sequence[str], output: str) -> Verdict | None:
        return verdict_of(await self.context.run(self.tests.request(calls, output, self.limits)))


def _score(verdict: Verdict) -> Score:
    if verdict.outcome == "unusable":
        return Missing(f"reference.test cannot be run: {verdict.reason}")
    return float(verdict.outcome == "passed")


def _unavailable(error: PlauditError) -> Missing:
    return Missing(f"the sandbox could not run the tests: {error}", retryable=error.retryable)


def _columns(reference: dict[str, Any]) -> dict[str, Any]:
    return {name: reference[name] for name in Reference.model_fields if name in reference}


def _programs(prompt: str, text: str) -> tuple[str, ...]:
    """What the completion may stand for, the first that is Python counts."""
    block = last_block(text)
    if block is None:
        return (prompt + text,)
    return f"{prompt}\n{block}", block
