"""One step of a call, as the service describes it to a monitor: a compiler's run, or a program's.

The service knows languages; the launcher only knows files, a command and bounds.
"""

import json
from dataclasses import dataclass
from typing import Any

Content = str | dict[str, str]
"""Text, or `{"base64": ...}`."""


@dataclass(frozen=True)
class Bounds:
    """Limits of one step. What the runtime itself needs comes on top of `memory_bytes`."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    output_bytes: int
    disk_bytes: int
    max_processes: int


@dataclass(frozen=True)
class Job:
    source: str
    """The one of `files` that is the program."""
    files: dict[str, Content]
    stdin: str
    args: list[str]
    command: list[str] | None
    """None: run the Python in `source` in a fork of the launcher's own warm interpreter."""
    env: dict[str, str]
    """`{directory}` in a value stands for the working directory."""
    may_fork: bool
    """It needs processes, also where there is no pid namespace to end them all."""
    limit_address_space: bool
    """False for runtimes that reserve far more than they use."""
    deep_stack: bool
    """The stack has no limit of its own: it is memory like any other."""
    runtime_memory_bytes: int
    out_of_memory: str
    """What the last of stderr matches when the program could get no more memory."""
    limits: dict[str, Any]
    files_out: list[str]
    max_files_out_bytes: int
    build: str | None
    """The directory whose files a compiler's run gives back, all of them."""

    @classmethod
    def of(cls, message: bytes) -> "Job":
        return cls(**json.loads(message))

    def bounds(self, disk_bytes: int, max_processes: int) -> Bounds:
        return Bounds(**self.limits, disk_bytes=disk_bytes, max_processes=max_processes)

    def environment(self, directory: str) -> dict[str, str]:
        return {name: value.replace("{directory}", directory) for name, value in self.env.items()}
