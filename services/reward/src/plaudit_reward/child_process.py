"""A child process as its parent sees it: what it uses, and its next line within limits."""

import asyncio
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

Broken = Literal["timeout", "memory", "died", "too_long"]
"""Why there will be no line."""
_LOOK_S = 0.05


@dataclass(frozen=True)
class Child:
    """A process that answers questions on its streams."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def resident_bytes(self) -> int:
        """0 once it has died."""
        fields = self._proc("statm")
        return int(fields[1]) * os.sysconf("SC_PAGESIZE") if fields else 0

    def cpu_s(self) -> float:
        """CPU time that it has used so far; 0 once it has died."""
        fields = self._proc("stat")
        ticks = sum(int(field) for field in fields[13:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _proc(self, name: str) -> list[str]:
        try:
            with open(f"/proc/{self.pid}/{name}") as file:
                return file.read().split()
        except OSError:
            return []


@dataclass(frozen=True)
class ChildLimits:
    """Of one answer."""

    wall_s: float
    memory_bytes: int
    """Resident."""
    cpu_s: float = math.inf


async def next_line(child: Child, limits: ChildLimits) -> bytes | Broken:
    """The next line, or the limit that the child broke; it is for the caller to kill it then."""
    reading = asyncio.ensure_future(child.reader.readline())
    started_s, cpu_before_s = time.monotonic(), child.cpu_s()
    try:
        while not (await asyncio.wait((reading,), timeout=_LOOK_S))[0]:
            wall_s, cpu_s = time.monotonic() - started_s, child.cpu_s() - cpu_before_s
            if cpu_s >= limits.cpu_s or wall_s >= limits.wall_s:
                return "timeout"
            if child.resident_bytes() > limits.memory_bytes:
                return "memory"
        with suppress(OSError):
            line = reading.result()
            if line.endswith(b"\n"):
                return line
        return "died"
    except ValueError:  # why: so a StreamReader says that a line is over its limit
        return "too_long"
    finally:
        reading.cancel()
