"""Watching a running program: output, wall time, memory of its whole process tree."""

import os
import select
import time
from dataclasses import dataclass, field
from typing import Literal

from plaudit_sandbox.launcher.program import Bounds

_CHUNK_BYTES = 64 * 2**10
_MEMORY_CHECK_S = 0.05

End = Literal["exited", "timeout", "memory", "output", "abandoned"]


@dataclass
class Output:
    """One stream of the program, kept up to a number of bytes."""

    handle: int
    max_bytes: int
    data: bytearray = field(default_factory=bytearray)
    open: bool = True

    def read(self) -> bool:
        """Take what is there, without waiting. False when that was too much."""
        while self.open:
            try:
                chunk = os.read(self.handle, _CHUNK_BYTES)
            except BlockingIOError:
                return True
            self.open = bool(chunk)
            room = self.max_bytes - len(self.data)
            self.data += chunk[:room]
            if len(chunk) > room:
                return False
        return True

    def text(self) -> str:
        return self.data.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Watch:
    """The program `child`, watched until it ends or breaks a bound."""

    child: int
    first: int | None
    """Process 1 of its pid namespace, the parent of what it left behind."""
    connection: int
    outputs: tuple[Output, Output]
    bounds: Bounds
    own_memory_bytes: int
    """What every process shares with the launcher, not counted as the program's."""

    def wait(self) -> End:
        """Until the program exits, or the first bound it breaks. Kills nothing."""
        deadline = time.monotonic() + self.bounds.wall_s
        poller, exited = self._poller()
        by_handle = {output.handle: output for output in self.outputs}
        try:
            while True:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return "timeout"
                events = poller.poll(1000 * min(left_s, _MEMORY_CHECK_S) + 1)
                if not events and self._memory_bytes() > self.bounds.memory_bytes:
                    return "memory"
                for handle, _ in events:
                    if handle == exited:
                        return "exited"
                    if handle == self.connection:
                        return "abandoned"
                    if not by_handle[handle].read():
                        return "output"
                    if not by_handle[handle].open:
                        poller.unregister(handle)
        finally:
            os.close(exited)

    def _poller(self) -> tuple[select.poll, int]:
        poller, exited = select.poll(), os.pidfd_open(self.child)
        poller.register(exited, select.POLLIN)
        # No event is asked for: a closed peer is always reported.
        poller.register(self.connection, 0)
        for output in self.outputs:
            poller.register(output.handle, select.POLLIN)
        return poller, exited

    def _memory_bytes(self) -> int:
        roots = [self.child] if self.first is None else [self.child, self.first]
        used = (max(0, _resident_bytes(pid) - self.own_memory_bytes) for pid in _tree(roots))
        return sum(used)


def _tree(roots: list[int]) -> list[int]:
    """The processes and all their descendants, as far as they can be seen."""
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        texts = [_read(f"/proc/{pid}/task/{thread}/children") for thread in threads]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]


def _resident_bytes(pid: int) -> int:
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def own_memory_bytes() -> int:
    """Resident bytes of the calling process."""
    return _resident_bytes(os.getpid())


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
