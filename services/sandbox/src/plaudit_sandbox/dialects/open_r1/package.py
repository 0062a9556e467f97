"""What the packages share: a submission's limits, its one run, and the words for how it failed."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.sandbox import Language, Limits, RunRequest, RunResult
from plaudit_sandbox.dialects.limits import MAX, at_most, memory_limit_bytes
from plaudit_sandbox.dialects.piston_request import content_of, is_text, run_limits
from plaudit_sandbox.dialects.piston_wire import ExecuteRequest
from plaudit_sandbox.languages import Toolset

VERSION = "1.0.0"
INPUT, CORRECT, OUTPUT = "input.txt", "correct_output.txt", "output.txt"
_TIMEOUT, _ABORTED, _SIGNALLED = 124, 134, 128
"""Exit codes: of `timeout`, and what bash makes of SIGABRT and of any signal."""


class Run(Protocol):
    async def __call__(self, request: RunRequest, toolset: Toolset | None = None) -> RunResult: ...


Execute = Callable[[ExecuteRequest, Run], Awaitable[RunResult]]


@dataclass(frozen=True)
class Package:
    language: str
    aliases: tuple[str, ...]
    needs: Language
    execute: Execute


@dataclass(frozen=True)
class Failure:
    code: int
    reason: str


def texts_of(asked: ExecuteRequest) -> dict[str, str]:
    """Files by name, the program first. Raises Rejected for one that is no text."""
    found: dict[str, str] = {}
    for index, file in enumerate(asked.files):
        name, content = file.name or f"file{index}.code", content_of(file)
        if not isinstance(content, str) or (index == 0 and not is_text(file)):
            raise Rejected(f"files: {name[:80]!r} is no text.")
        found[name] = content
    return found


def limits_of(
    asked: ExecuteRequest, time_limit_s: float | None, memory_bytes: float | None
) -> Limits:
    """Of the submission. The wall limit is what CMS makes of a task's time limit, to which the CPU
    time is held. Raises Rejected."""
    most = run_limits(asked)
    limit_s = most.wall_s if time_limit_s is None else time_limit_s
    return Limits(
        wall_s=min(most.wall_s, 2 * limit_s + 1),
        cpu_s=at_most("time_limit", limit_s, MAX.cpu_s),
        memory_bytes=(
            most.memory_bytes
            if memory_bytes is None
            else memory_limit_bytes("memory_limit", round(memory_bytes))
        ),
        output_bytes=MAX.output_bytes,
    )


async def run_once(run: Run, request: RunRequest, toolset: Toolset | None = None) -> RunResult:
    """The request's only case, as a run of its own. Raises Unavailable: the sandbox failed."""
    result = await run(request, toolset)
    if result.status == "sandbox_error":
        raise Unavailable(result.reason or "The sandbox failed.")
    return result.model_copy(update=dict(result.cases[0]))


def failure_of(result: RunResult, limits: Limits) -> Failure | None:
    """None for a submission that ended well and in time."""
    # The kernel ends it at whole seconds only.
    if result.status == "timeout" or result.cpu_s > limits.cpu_s:
        return Failure(_TIMEOUT, f"Time limit exceeded ({limits.cpu_s:g}s)")
    if result.status == "memory":
        mebibytes = limits.memory_bytes / 2**20
        return Failure(_ABORTED, f"Memory limit exceeded ({mebibytes:g}MB)")
    if result.status == "output":
        return Failure(1, f"Output limit exceeded ({limits.output_bytes} bytes)")
    if result.status == "ok":
        return None
    code = -signal.SIGKILL if result.exit_code is None else result.exit_code
    code = code if code > 0 else _SIGNALLED - code
    return Failure(code, f"Runtime error with exit code {code}")


def graded(result: RunResult, stdout: str, stderr: str, code: int = 0) -> RunResult:
    """The result with what a package's script says of it, instead of what the program said."""
    status = "error" if code else "ok"
    said = {"status": status, "exit_code": code, "stdout": stdout, "stderr": stderr}
    return result.model_copy(update=said)


def correct_output(files: Mapping[str, str]) -> str | None:
    """Raises Rejected: no program could print it here."""
    correct = files.get(CORRECT)
    if correct is not None and len(correct.encode()) > MAX.output_bytes:
        raise Rejected(
            f"files: {CORRECT} has more than the {MAX.output_bytes} bytes that a program may print."
        )
    return correct
