"""`c++17` and `cf_python3` of the package `codeforces`: one test, judged by diff or a checker."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Case, Language, Limits, RunRequest, RunResult, StepResult
from plaudit_sandbox.dialects.limits import MAX, UNLIMITED_MEMORY_BYTES
from plaudit_sandbox.dialects.open_r1.compare import (
    same_words,
    without_carriage_returns,
    without_empty_lines,
)
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

CHECKER = "checker.py"
CHECKER_LIMITS = Limits(
    wall_s=20.0, cpu_s=10.0, memory_bytes=UNLIMITED_MEMORY_BYTES, output_bytes=MAX.output_bytes
)
_CPP = replace(
    TOOLSETS["cpp"],
    compile=(
        "{g++}", "-DONLINE_JUDGE", "-O2", "-std=c++17", "-pipe", "-s",
        "-o", f"{BUILD}/main", "main.cpp",
    ),
    deep_stack=True,
)  # fmt: skip
_PYTHON = replace(TOOLSETS["python"], deep_stack=True)
_NOTHING_TO_COMPILE = StepResult(
    status="ok", exit_code=0, stdout="Skipping compile - python3\n", stderr="", wall_s=0.0,
    cpu_s=0.0, peak_memory_bytes=0,
)  # fmt: skip
"""Open-R1 reads the compiler's exit code of every program."""


class GraderConfig(BaseModel):
    """The file `grader_config`: a line `KEY=value` for each."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    TIME_LIMIT: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Seconds."""
    MEMORY_LIMIT: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Mebibytes."""
    INPUT_MODE: Literal["stdio", "file"] = "stdio"
    """file: the program reads `input.txt` and writes `output.txt`."""


@dataclass(frozen=True)
class Test:
    input: str
    correct: str | None
    from_file: bool


async def execute_cpp(asked: ExecuteRequest, run: Run) -> RunResult:
    return await _execute(asked, run, "cpp", _CPP)


async def execute_python(asked: ExecuteRequest, run: Run) -> RunResult:
    result = await _execute(asked, run, "python", _PYTHON)
    return result.model_copy(update={"compile": _NOTHING_TO_COMPILE})


async def _execute(
    asked: ExecuteRequest, run: Run, language: Language, toolset: Toolset
) -> RunResult:
    """Raises Rejected, ValidationError, Unavailable."""
    files = texts_of(asked)
    config = _config(files.get("grader_config", ""))
    test = Test(
        without_carriage_returns(files.get(INPUT, "")),
        correct_output(files),
        config.INPUT_MODE == "file",
    )
    memory_bytes = config.MEMORY_LIMIT and config.MEMORY_LIMIT * 2**20
    limits = limits_of(asked, config.TIME_LIMIT, memory_bytes)
    request = _request(asked, test, language, limits)
    result = await run_once(run, request, toolset)
    if result.status == "compile_error":
        return result
    if failure := failure_of(result, limits):
        return graded(result, "0\n", failure.reason, failure.code)
    return await _judged(result, test, files.get(CHECKER), run)


def _config(text: str) -> GraderConfig:
    pairs = [line.partition("=") for line in text.splitlines()]
    found = {key.strip(): value.strip() for key, _, value in pairs}
    # What Open-R1 writes where the problem has none.
    return GraderConfig.model_validate(
        {key: value for key, value in found.items() if value not in ("", "None")}
    )


def _request(asked: ExecuteRequest, test: Test, language: Language, limits: Limits) -> RunRequest:
    case = Case(files={INPUT: test.input}) if test.from_file else Case(stdin=test.input)
    return RunRequest(
        language=language,
        code=asked.files[0].content,
        cases=[case],
        files_out=[OUTPUT] if test.from_file else [],
        limits=limits,
        compile_limits=compile_limits(asked),
    )


async def _judged(result: RunResult, test: Test, checker: str | None, run: Run) -> RunResult:
    output = result.files.get(OUTPUT, "") if test.from_file else result.stdout
    if not isinstance(output, str):
        return graded(result, "0\n", "Output isn't correct (no text)")
    output = without_empty_lines(output)
    if test.correct is None:
        return graded(result, output, "")
    correct = without_empty_lines(without_carriage_returns(test.correct))
    if checker is None:
        return _verdict(result, same_words(output, correct), "diff")
    files = {INPUT: test.input, CORRECT: correct, OUTPUT: output}
    return _verdict(result, await _is_accepted(checker, files, run), "checker")


async def _is_accepted(checker: str, files: dict[str, str], run: Run) -> bool:
    """Raises Rejected: the checker does not work."""
    case = Case(files=files, args=[INPUT, CORRECT, OUTPUT])
    found = await run_once(run, RunRequest(code=checker, cases=[case], limits=CHECKER_LIMITS))
    if found.status != "ok":
        said = found.stderr.strip()[-500:]
        raise Rejected(f"{CHECKER} ended with {found.status} (code {found.exit_code}): {said}")
    return "".join(found.stdout.split()) in ("1", "100")


def _verdict(result: RunResult, accepted: bool, judge: str) -> RunResult:
    if accepted:
        return graded(result, "1\n", f"Output is correct ({judge})")
    return graded(result, "0\n", f"Output isn't correct ({judge})")
