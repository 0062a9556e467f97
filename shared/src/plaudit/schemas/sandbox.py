"""Contracts of the sandbox service, the only place that runs untrusted code."""

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from plaudit.schemas.common import Contract

Language = Literal["python", "javascript", "c", "cpp", "java", "bash", "go", "rust"]
RunStatus = Literal[
    "ok", "error", "timeout", "memory", "output", "killed", "compile_error", "sandbox_error",
    "skipped",
]  # fmt: skip
Argument = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]
MAX_ARGUMENTS = 64


class Binary(Contract):
    """Bytes that are no UTF-8 text, as base64 with padding."""

    base64: str

    @field_validator("base64")
    @classmethod
    def _is_base64(cls, text: str) -> str:
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(f"no base64: {error}") from None
        return text

    def data(self) -> bytes:
        return base64.b64decode(self.base64)


FileContent = str | Binary


class Limits(Contract):
    wall_s: float = Field(default=5.0, gt=0.0, le=60.0)
    cpu_s: float = Field(default=5.0, gt=0.0, le=60.0)
    memory_bytes: int = Field(default=256 * 2**20, ge=16 * 2**20, le=4 * 2**30)
    output_bytes: int = Field(default=64 * 2**10, ge=1, le=4 * 2**20)


class CompileLimits(Limits):
    """What compilers need is more than what most programs need."""

    wall_s: float = Field(default=30.0, gt=0.0, le=60.0)
    cpu_s: float = Field(default=30.0, gt=0.0, le=60.0)
    memory_bytes: int = Field(default=2**30, ge=16 * 2**20, le=4 * 2**30)


class Case(Contract):
    """One test case: a run of its own, in a fresh process and directory."""

    stdin: str = ""
    args: list[Argument] = Field(default=[], max_length=MAX_ARGUMENTS)
    files: dict[str, FileContent] = {}
    """Beside the request's `files`, before which they come where both have a path."""


class RunRequest(Contract):
    language: Language = "python"
    code: str
    stdin: str = ""
    args: list[Argument] = Field(default=[], max_length=MAX_ARGUMENTS)
    files: dict[str, FileContent] = {}
    """Relative path to content, written into the working directory before compiling and running."""
    files_out: list[str] = []
    """Paths of files to return after each run."""
    limits: Limits = Limits()
    """Of each run."""
    compile_limits: CompileLimits = CompileLimits()
    cases: list[Case] = []
    """Runs of the one program, compiled once. Without any, it runs once on `stdin` and `args`."""
    cases_wall_s: float = Field(default=300.0, gt=0.0, le=300.0)
    """No case but the first starts when it could end later than this after the first has begun."""
    stop_at_first_failure: bool = False
    """Skip the cases after the first that does not end `ok`."""

    @model_validator(mode="after")
    def _input_is_in_one_place(self) -> Self:
        if self.cases and (self.stdin or self.args):
            raise ValueError("stdin and args belong into each of the cases when there are cases")
        return self


class StepResult(Contract):
    """How one process went: the compiler's, or the program's.

    `output`: a stream passed output_bytes. `killed`: by a signal that no limit explains.
    """

    status: RunStatus
    exit_code: int | None
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int


class CaseResult(StepResult):
    """`compile_error`, `skipped` and `sandbox_error`: the program was not run to its end."""

    reason: str | None = None
    """Of `skipped`; of `sandbox_error`, which says nothing about the program: send it again."""
    files: dict[str, FileContent] = {}
    """Those of `files_out` that are there: text where it is UTF-8, else base64."""
    files_missing: dict[str, str] = {}
    """Those of `files_out` that are not returned, and why."""


class RunResult(CaseResult):
    """With `cases`, `status` is that of the first that is not `ok`, and times are sums."""

    tier: str
    """Of the isolation that was in force."""
    compile: StepResult | None = None
    """Null where the language needs no compiler."""
    cases: list[CaseResult] = []
    """As many as were asked for, in their order."""


class LanguageInfo(Contract):
    """`version` is null when it is not `available`, and `reason` when it is."""

    available: bool
    version: str | None = None
    reason: str | None = None


class LanguageList(Contract):
    languages: dict[Language, LanguageInfo]
    """Those that are available have compiled and run a program here."""
    tier: str
    protections: dict[str, bool]
    """Every protection by name, and whether it is in force."""
