"""Programs that read and print: run on every input, each whole output compared.

What a program should print never enters the sandbox, so it can neither be found there nor be
claimed by an early exit or a changed interpreter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from plaudit.errors import PlauditError
from plaudit.schemas.common import Contract
from plaudit.schemas.sandbox import CaseResult
from plaudit_reward.cases import run_cases
from plaudit_reward.programs import ProgramParams, checked
from plaudit_reward.reward import Context, Missing

_MAX_OUTPUT_BYTES = 4 * 2**20
_NO_PYTHON = ("SyntaxError:", "IndentationError:", "TabError:")


class Test(Contract):
    """What a program reads and what it must print."""

    stdin: str = ""
    stdout: str


@dataclass(frozen=True)
class Outcome:
    """Of one test. A program that was not `compiled` is none in its language."""

    passed: bool
    compiled: bool = True


_TESTS = TypeAdapter(list[Test])


def tests_of(reference: dict[str, Any]) -> list[Test] | Missing:
    return checked(_TESTS, reference.get("tests"), "reference.tests")


async def run_tests(
    program: str, tests: Sequence[Test], params: ProgramParams, context: Context
) -> list[Outcome] | Missing:
    """In the order of `tests`; those with the same input are one run."""
    limits = params.limits(_output_bytes(tests))
    inputs = list(dict.fromkeys(test.stdin for test in tests))
    try:
        results = await run_cases(program, params.language, inputs, limits, context)
    except PlauditError as error:
        return Missing(f"the sandbox could not run the tests: {error}", retryable=error.retryable)
    by_input = dict(zip(inputs, results, strict=True))
    return [_outcome(by_input[test.stdin], test) for test in tests]


def _outcome(result: CaseResult, test: Test) -> Outcome:
    if result.status == "ok":
        return Outcome(normalised(result.stdout) == normalised(test.stdout))
    if result.status == "compile_error":
        return Outcome(passed=False, compiled=False)
    last_line = result.stderr.rstrip().rpartition("\n")[2]
    return Outcome(passed=False, compiled=not last_line.startswith(_NO_PYTHON))


def _output_bytes(tests: Sequence[Test]) -> int:
    longest = max(len(test.stdout.encode()) for test in tests)
    return min(_MAX_OUTPUT_BYTES, 2**16 + 2 * longest)


def normalised(output: str) -> str:
    """Without whitespace at the ends of lines and without newlines at the end."""
    return "\n".join(line.rstrip() for line in output.split("\n")).rstrip("\n")
