"""A child process as its parent sees it: what it uses, and its next line within limits."""

import asyncio
import math
import os
import time
from collections.abc import Callable
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


async def next_line(
    child: Child, limits: ChildLimits, num_done: Callable[[], int] = lambda: 0
) -> bytes | Broken:
    """The next line, or the limit that the child broke; it is for the caller to kill it then.

    Most lines come at once, so what only late ones need is looked up when one is late: CPU time
    counts from the first look on, 0.05 s after the start. A line of several answers has the time
    of one again whenever a look finds more of them done; the last look is at a child that died.
    """
    started_s, cpu_before_s, done_before = time.monotonic(), None, 0
    while True:
        try:
            async with asyncio.timeout(_LOOK_S):
                line = await child.reader.readline()
        except TimeoutError:
            if (done := num_done()) > done_before:
                started_s, cpu_before_s, done_before = time.monotonic(), None, done
            cpu_before_s = child.cpu_s() if cpu_before_s is None else cpu_before_s
            if broken := _broken(child, limits, time.monotonic() - started_s, cpu_before_s):
                return broken
            continue
        except OSError:
            line = b""
        except ValueError:  # why: so a StreamReader says that a line is over its limit
            return "too_long"
        if line.endswith(b"\n"):
            return line
        num_done()
        return "died"


def _broken(child: Child, limits: ChildLimits, wall_s: float, cpu_before_s: float) -> Broken | None:
    if wall_s >= limits.wall_s or child.cpu_s() - cpu_before_s >= limits.cpu_s:
        return "timeout"
    return "memory" if child.resident_bytes() > limits.memory_bytes else None
