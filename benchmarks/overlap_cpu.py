"""CPU time of whole process trees, sampled while a cell runs."""

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
EVERY_S = 0.25


class CpuClock:
    """`with CpuClock([pid, ...]) as clock:` the processes, their children, and theirs."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = roots
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "CpuClock":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def spent_s(self, start_s: float, end_s: float) -> float:
        """CPU seconds between two moments in the time of `time.time()`."""
        return self._at(end_s) - self._at(start_s)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._samples.append((time.time(), tree_cpu_s(self._roots)))

    def _at(self, moment_s: float) -> float:
        """Between two samples, in proportion."""
        index = bisect_left(self._samples, (moment_s, 0.0))
        (start_s, low), (end_s, high) = self._samples[index - 1 : index + 1]
        return low + (high - low) * (moment_s - start_s) / (end_s - start_s)


def tree_cpu_s(roots: Sequence[int]) -> float:
    """User and system time of the trees, with that of children that ended and were waited for."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended meanwhile
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:15])) / TICKS_PER_S
    return sum(value for pid, value in seconds.items() if _is_below(pid, roots, parents))


def _is_below(pid: int, roots: Sequence[int], parents: dict[int, int]) -> bool:
    while pid in parents and pid not in roots:
        pid = parents[pid]
    return pid in roots
