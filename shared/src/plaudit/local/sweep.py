"""Kills every process that carries a mark in its environment, however far it has detached itself.

Standard library only: the supervisor's janitor runs this file as a script, so that nothing is left
behind when the supervisor itself is killed with SIGKILL.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

# No PLAUDIT_ in front: services refuse such variables when they do not know them.
MARK = "_PLAUDIT_SUPERVISOR"
SCOPE = "_PLAUDIT_PROCESS"
_SWEEP_PAUSE_S = 0.02


def marked_pids(mark: str, scope: str | None = None) -> list[int]:
    """Processes of this user whose environment at exec held `mark` (and `scope`, when given)."""
    wanted = {f"{MARK}={mark}".encode()}
    if scope is not None:
        wanted.add(f"{SCOPE}={scope}".encode())
    return [pid for pid in _own_pids() if wanted <= _environment(pid)]


def kill_marked(mark: str, scope: str | None = None, *, timeout_s: float = 2.0) -> bool:
    """SIGKILL all marked processes and what they spawn meanwhile. False when some outlived it."""
    deadline = time.monotonic() + timeout_s
    while pids := marked_pids(mark, scope):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(_SWEEP_PAUSE_S)
    return True


def _own_pids() -> list[int]:
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:  # not Linux: process groups alone have to do
        return []
    return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]


def _environment(pid: int) -> set[bytes]:
    # A zombie reads as empty, another user's process is refused: neither is ours to kill.
    try:
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return set()


def main() -> None:
    """Janitor: waits for the supervisor to close our stdin, by exiting or by being killed."""
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1], timeout_s=10.0)


if __name__ == "__main__":
    main()
