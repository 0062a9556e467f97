"""Code: the fraction of tests that the last Python block passes in the sandbox."""

import asyncio
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from plaudit.errors import PlauditError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit.schemas.sandbox import Limits, RunRequest
from plaudit_reward.reward import Context, Missing, Score, Vector, reward

_OPENING, _CLOSING = "```python\n", "```"
_MAX_OUTPUT_BYTES = 4 * 2**20


class CodeParams(Contract):
    timeout_s: float = Field(default=5.0, gt=0.0, le=60.0)
    """Wall and CPU time of one test."""
    memory_bytes: int = Field(default=256 * 2**20, ge=16 * 2**20, le=4 * 2**30)


class Test(Contract):
    """What a program reads and what it must print."""

    stdin: str = ""
    stdout: str


_TESTS = TypeAdapter(list[Test])
_ADDS = {"tests": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "5\n", "stdout": "6"}]}


def _block(code: str) -> str:
    return f"{_OPENING}{code}\n{_CLOSING}"


@reward(
    pool="code",
    source="Open-R1 rewards.py `code_reward`, but whole outputs are compared: there a correct "
    "prefix passes; rewards_and_judges.md §2.1",
    vectors=[
        Vector([_block("print(int(input()) + 1)"), _block("print(2)")], [1.0, 0.5], _ADDS),
        Vector([_block("print(0)") + _block("print(int(input()) + 1)")], [1.0], _ADDS),
        Vector(["print(2)", "", _block("1/0"), _block("print(2); 1/0")], [0, 0, 0, 0], _ADDS),
        Vector([_block("print(2)")], [None]),
    ],
)
async def code(group: RewardGroup, params: CodeParams, context: Context) -> list[Score]:
    """Fraction of `reference.tests`, a list of {stdin, stdout}, that the last ```python block
    passes: it ends by itself with exit code 0 and prints stdout, whitespace at the ends of lines
    and newlines at the end aside. 0.0 without such a block.

    Null: there are no tests, or the sandbox could not run one of them.
    """
    tests = _tests(group.reference.get("tests"))
    if isinstance(tests, Missing):
        return [tests] * len(group.completions)
    programs = [last_block(completion.text) for completion in group.completions]
    distinct = {program for program in programs if program is not None}
    runs = [_passed(program, tests, params, context) for program in distinct]
    scores: dict[str | None, Score] = {None: 0.0}
    scores |= zip(distinct, await asyncio.gather(*runs), strict=True)
    return [scores[program] for program in programs]


def last_block(text: str) -> str | None:
    """The content of the last closed ```python block, found in linear time."""
    found, start = None, text.find(_OPENING)
    while start >= 0:
        end = text.find(_CLOSING, start + len(_OPENING))
        if end < 0:
            break
        found = text[start + len(_OPENING) : end]
        start = text.find(_OPENING, end + len(_CLOSING))
    return found


def _tests(value: Any) -> list[Test] | Missing:
    if not value:
        return Missing("reference.tests is missing")
    try:
        return _TESTS.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Missing(f"reference.tests.{where}: {first['msg']}")


async def _passed(program: str, tests: list[Test], params: CodeParams, context: Context) -> Score:
    limits = _limits(tests, params)
    # Tests with the same input are one run.
    inputs = dict.fromkeys(test.stdin for test in tests)
    requests = [RunRequest(code=program, stdin=text, limits=limits) for text in inputs]
    try:
        results = await asyncio.gather(*(context.run(request) for request in requests))
    except PlauditError as error:
        return Missing(f"the sandbox could not run the tests: {error}", retryable=error.retryable)
    outputs = {
        request.stdin: normalised(result.stdout) if result.status == "ok" else None
        for request, result in zip(requests, results, strict=True)
    }
    return sum(outputs[test.stdin] == normalised(test.stdout) for test in tests) / len(tests)


def _limits(tests: list[Test], params: CodeParams) -> Limits:
    longest_bytes = max(len(test.stdout.encode()) for test in tests)
    return Limits(
        wall_s=params.timeout_s,
        cpu_s=params.timeout_s,
        memory_bytes=params.memory_bytes,
        output_bytes=min(_MAX_OUTPUT_BYTES, 2**16 + 2 * longest_bytes),
    )


def normalised(output: str) -> str:
    """Without whitespace at the ends of lines and without newlines at the end."""
    return "\n".join(line.rstrip() for line in output.split("\n")).rstrip("\n")
