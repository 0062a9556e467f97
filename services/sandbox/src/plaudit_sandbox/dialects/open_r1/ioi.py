"""`cms_ioi`: a submission linked with the task's grader, judged by diff or the task's checker."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Case, Limits, RunRequest, RunResult
from plaudit_sandbox.dialects.limits import MAX, UNLIMITED_MEMORY_BYTES
from plaudit_sandbox.dialects.open_r1.communication import check_manager, communication_toolset
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

    task_type: Literal["Batch", "Communication"]
    time_limit: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Seconds."""
    memory_limit: int | None = Field(default=None, gt=0)
    """Bytes."""
    num_processes: int = Field(default=1, alias="task_type_parameters_Communication_num_processes")
    user_io: str = Field(default="std_io", alias="task_type_parameters_Communication_user_io")
    manager_args: str = Field(default="", alias="task_type_parameters_Communication_manager_args")


async def execute_ioi(asked: ExecuteRequest, run: Run) -> RunResult:
    """Raises Rejected, ValidationError, Unavailable."""
    files = texts_of(asked)
    config = _config(files)
    correct = correct_output(files)
    limits = limits_of(asked, config.time_limit, config.memory_limit)
    toolset = _toolset(next(iter(files)), files, config)
    request = _request(asked, files, limits, _case(files, config))
    result = await run_once(run, request, toolset)
    check_manager(result)
    if result.status == "compile_error":
        return result
    if failure := failure_of(result, limits):
        return graded(result, "0\n", failure.reason)
    if correct and CHECKER in files:
        return await _checked(result, files, run)
    if config.task_type == "Communication":
        return graded(result, result.stdout, result.stderr)
    if not correct:
        return graded(result, result.stdout, "")
    if same_lines(result.stdout, correct):
        return graded(result, "1\n", "Output is correct (diff)")
    return graded(result, "0\n", "Output isn't correct (diff)")


def _config(files: Mapping[str, str]) -> GraderConfig:
    if CONFIG not in files:
        raise Rejected(f"files: there is no {CONFIG}.")
    return GraderConfig.model_validate_json(files[CONFIG])


def _toolset(submission: str, files: Mapping[str, str], config: GraderConfig) -> Toolset:
    """Raises Rejected: the submission's name is none that a compiler should see, or the task is
    none that can be judged here."""
    if not _SUBMISSION.fullmatch(submission):
        raise Rejected(f"files: the first is {submission[:80]!r}, not graders/<problem>.cpp.")
    sources = [submission, *(name for name in _GRADERS if name in files)]
    command = (*_COMPILER, "-DEVAL", "-s", *sources)
    batch = replace(TOOLSETS["cpp"], source=submission, compile=command, deep_stack=True)
    if config.task_type == "Batch":
        return batch
    return communication_toolset(batch, files, config.num_processes, config.user_io)


def _request(
    asked: ExecuteRequest, files: Mapping[str, str], limits: Limits, case: Case
) -> RunRequest:
    submission, *others = files
    graders = {name: files[name] for name in others if name.startswith("graders/")}
    return RunRequest(
        language="cpp",
        code=files[submission],
        files=dict(graders),
        cases=[case],
        limits=limits,
        compile_limits=compile_limits(asked),
    )


def _case(files: Mapping[str, str], config: GraderConfig) -> Case:
    text = files.get(INPUT, "")
    if config.task_type == "Batch":
        return Case(stdin=text, files={INPUT: text})
    # The manager reads it, and the submission is not to know it.
    return Case(stdin=text, args=config.manager_args.split())


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
