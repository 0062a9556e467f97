"""What Piston and its clients say to each other."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel


class _Wire(BaseModel):
    # why: Piston ignores keys that it does not know, and its clients rely on that.
    model_config = ConfigDict(extra="ignore", frozen=True)


class PistonFile(_Wire):
    name: str | None = None
    content: str
    encoding: str = "utf8"
    """`utf8`, `base64` or `hex`; anything else is taken for `utf8`."""


class ExecuteRequest(_Wire):
    language: str
    version: str
    files: list[PistonFile] = Field(min_length=1)
    """The first is the program."""
    stdin: str | None = None
    args: list[str] | None = None
    compile_timeout: float | None = None
    """Milliseconds, as all times here; null or 0 is the default."""
    run_timeout: float | None = None
    compile_cpu_time: float | None = None
    run_cpu_time: float | None = None
    compile_memory_limit: int | None = None
    """Bytes; null or 0 or less is the default."""
    run_memory_limit: int | None = None


StageStatus = Literal["RE", "SG", "TO", "OL", "EL"]
"""Runtime error, signal, timeout, too much standard output, too much standard error."""


class Stage(_Wire):
    stdout: str
    stderr: str
    output: str
    code: int | None
    signal: str | None
    message: str | None
    status: StageStatus | None
    cpu_time: float
    """Milliseconds."""
    wall_time: float
    memory: int
    """Bytes."""


class ExecuteResponse(_Wire):
    language: str
    version: str
    run: Stage
    """The compiler's where the program was not run."""
    compile: Stage | None = None


class Runtime(_Wire):
    language: str
    version: str
    aliases: list[str]


class Runtimes(RootModel[list[Runtime]]):
    pass


class Failure(_Wire):
    message: str
