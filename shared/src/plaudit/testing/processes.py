"""Processes: found by their environment or by who started them, and made to stand still."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def pids_with(**variables: str) -> list[int]:
    """Every process that was started with one of `variables`. Linux only."""
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if wanted & set(path.read_bytes().split(b"\0")):
                found.append(int(path.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """Processes that this one has started, and those that they have."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for file in files for child in file.read_text().split()]
    return [*children, *(one for child in children for one in descendants(child))]


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """They stand still meanwhile."""
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
