"""Contracts of the sandbox service, the only place that runs untrusted code."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract

RunStatus = Literal["ok", "error", "timeout", "memory", "output", "killed"]


class Limits(Contract):
    wall_s: float = Field(default=5.0, gt=0.0, le=60.0)
    cpu_s: float = Field(default=5.0, gt=0.0, le=60.0)
    memory_bytes: int = Field(default=256 * 2**20, ge=16 * 2**20, le=4 * 2**30)
    output_bytes: int = Field(default=64 * 2**10, ge=1, le=4 * 2**20)


class RunRequest(Contract):
    language: Literal["python"] = "python"
    code: str
    stdin: str = ""
    files: dict[str, str] = {}
    """Relative path to text, written into the working directory before the run."""
    limits: Limits = Limits()


class RunResult(Contract):
    """`output` means the output cap was hit; `killed` a signal that no limit explains."""

    status: RunStatus
    exit_code: int | None
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
