"""Watching a running program: output, wall time, memory of its whole process tree."""

import os
import select
import time
from dataclasses import dataclass, field
from typing import Literal

from plaudit_sandbox.launcher.scratch import Scratch
from plaudit_sandbox.launcher.tree import descendants, resident_bytes, shared_mapping_bytes

_CHUNK_BYTES = 64 * 2**10
_MEMORY_CHECK_S = 0.05

End = Literal["exited", "timeout", "memory", "output", "disk", "processes", "abandoned"]


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
    """Process 1 of its pid namespace, which is ours."""
    connection: int
    outputs: tuple[Output, Output]
    wall_s: float
    max_memory_bytes: int
    shared_memory_bytes: int
    """What every process shares with the launcher, not counted as the program's."""
    max_processes: int
    """More than the kernel lets it have, should the kernel not count this user's."""
    scratch: Scratch | None
    """Its working directory, where the kernel does not bound that."""

    def wait(self) -> End:
        """Until the program exits, or the first bound it breaks. Kills nothing."""
        deadline_s = time.monotonic() + self.wall_s
        poller, exited = self._poller()
        try:
            return self._wait(poller, exited, deadline_s)
        finally:
            os.close(exited)

    def _wait(self, poller: select.poll, exited: int, deadline_s: float) -> End:
        check_s = time.monotonic() + _MEMORY_CHECK_S
        while True:
            now_s = time.monotonic()
            if now_s >= deadline_s:
                return "timeout"
            if now_s >= check_s:
                if end := self._passed():
                    return end
                check_s = now_s + _MEMORY_CHECK_S
            for handle, _ in poller.poll(1000 * (min(check_s, deadline_s) - now_s) + 1):
                if end := self._after(handle, exited, poller):
                    return end

    def _after(self, handle: int, exited: int, poller: select.poll) -> End | None:
        """What an event on `handle` means for the program."""
        if handle == exited:
            return "exited"
        if handle == self.connection:
            return "abandoned"
        [output] = [one for one in self.outputs if one.handle == handle]
        if not output.read():
            return "output"
        if not output.open:
            poller.unregister(handle)
        return None

    def _poller(self) -> tuple[select.poll, int]:
        poller, exited = select.poll(), os.pidfd_open(self.child)
        poller.register(exited, select.POLLIN)
        # No event is asked for: a closed peer is always reported.
        poller.register(self.connection, 0)
        for output in self.outputs:
            poller.register(output.handle, select.POLLIN)
        return poller, exited

    def _passed(self) -> End | None:
        """What all below the monitor hold: the program, what it started, what it left behind."""
        pids = [pid for pid in descendants(os.getpid()) if pid != self.first]
        if len(pids) > self.max_processes:
            return "processes"
        used = sum(max(0, resident_bytes(pid) - self.shared_memory_bytes) for pid in pids)
        if max(used, shared_mapping_bytes(pids)) > self.max_memory_bytes:
            return "memory"
        if self.scratch is not None and self.scratch.is_full(pids):
            return "disk"
        return None


def own_memory_bytes() -> int:
    """Resident bytes of the calling process."""
    return resident_bytes(os.getpid())
