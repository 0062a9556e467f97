"""`cms_ioi`: a submission linked with the task's grader, judged by diff or the task's checker."""

import re
from collections.abc import Mapping
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Case, Limits, RunRequest, RunResult
from plaudit_sandbox.dialects.limits import MAX, UNLIMITED_MEMORY_BYTES
from plaudit_sandbox.dialects.open_r1.compare import same_lines
from plaudit_sandbox.dialects.open_r1.package import (
    CORRECT,
    INPUT,
    OUTPUT,
    Run,
    correct_output,
    failure_of,
    graded,
    limits_of,
    run_once,
    texts_of,
)
from plaudit_sandbox.dialects.piston_request import compile_limits
from plaudit_sandbox.dialects.piston_wire import ExecuteRequest
from plaudit_sandbox.languages import BUILD, TOOLSETS, Toolset

CONFIG = "graders/grader_config.json"
CHECKER = "checker/checker.cpp"
CHECKER_LIMITS = Limits(
    wall_s=60.0, cpu_s=30.0, memory_bytes=UNLIMITED_MEMORY_BYTES, output_bytes=MAX.output_bytes
)
_GRADERS = ("graders/grader.cpp", "graders/stub.cpp")
_SUBMISSION = re.compile(r"graders/\w[\w-]*\.cpp", re.ASCII)
_COMPILER = ("{g++}", "-std=gnu++17", "-O2", "-pipe", "-o", f"{BUILD}/main")
_CHECKER = replace(TOOLSETS["cpp"], source=CHECKER, compile=(*_COMPILER, CHECKER))


class GraderConfig(BaseModel):
    """What is read of graders/grader_config.json."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_type: str
    time_limit: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Seconds."""
    memory_limit: int | None = Field(default=None, gt=0)
    """Bytes."""


async def execute_ioi(asked: ExecuteRequest, run: Run) -> RunResult:
    """Raises Rejected, ValidationError, Unavailable."""
    files = texts_of(asked)
    config = _config(files)
    correct = correct_output(files)
    limits = limits_of(asked, config.time_limit, config.memory_limit)
    result = await run_once(run, _request(asked, files, limits), _toolset(next(iter(files)), files))
    if result.status == "compile_error":
        return result
    if failure := failure_of(result, limits):
        return graded(result, "0\n", failure.reason)
    if not correct:
        return graded(result, result.stdout, "")
    if CHECKER in files:
        return await _checked(result, files, run)
    if same_lines(result.stdout, correct):
        return graded(result, "1\n", "Output is correct (diff)")
    return graded(result, "0\n", "Output isn't correct (diff)")


def _config(files: Mapping[str, str]) -> GraderConfig:
    if CONFIG not in files:
        raise Rejected(f"files: there is no {CONFIG}.")
    config = GraderConfig.model_validate_json(files[CONFIG])
    if config.task_type != "Batch":
        raise Rejected(
            f"{CONFIG}: task_type {config.task_type[:40]!r} cannot be judged here, only 'Batch'."
        )
    return config


def _toolset(submission: str, files: Mapping[str, str]) -> Toolset:
    """Raises Rejected: the submission's name is none that a compiler should see."""
    if not _SUBMISSION.fullmatch(submission):
        raise Rejected(f"files: the first is {submission[:80]!r}, not graders/<problem>.cpp.")
    sources = [submission, *(name for name in _GRADERS if name in files)]
    command = (*_COMPILER, "-DEVAL", "-s", *sources)
    return replace(TOOLSETS["cpp"], source=submission, compile=command, deep_stack=True)


def _request(asked: ExecuteRequest, files: Mapping[str, str], limits: Limits) -> RunRequest:
    submission, *others = files
    graders = {name: files[name] for name in others if name.startswith("graders/")}
    return RunRequest(
        language="cpp",
        code=files[submission],
        files=dict(graders),
        cases=[Case(stdin=files.get(INPUT, ""), files={INPUT: files.get(INPUT, "")})],
        limits=limits,
        compile_limits=compile_limits(asked),
    )


async def _checked(result: RunResult, files: Mapping[str, str], run: Run) -> RunResult:
    """The checker's own score and words. Raises Rejected: it does not work."""
    sources = {name: text for name, text in files.items() if name.startswith("checker/")}
    code = sources.pop(CHECKER)
    test = {INPUT: files.get(INPUT, ""), CORRECT: files[CORRECT], OUTPUT: result.stdout}
    request = RunRequest(
        language="cpp",
        code=code,
        files=dict(sources),
        cases=[Case(files=dict(test), args=[INPUT, CORRECT, OUTPUT])],
        limits=CHECKER_LIMITS,
    )
    found = await run_once(run, request, _CHECKER)
    if found.status == "compile_error" and found.compile is not None:
        raise Rejected(f"{CHECKER} does not compile: {found.compile.stderr.strip()[:500]}")
    if found.status not in ("ok", "error") or not found.stdout:
        said = found.stderr.strip()[-500:]
        raise Rejected(f"{CHECKER} ended with {found.status} (code {found.exit_code}): {said}")
    return graded(result, found.stdout, found.stderr, found.exit_code or 0)
