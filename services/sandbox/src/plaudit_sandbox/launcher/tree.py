"""Processes below a process, and the memory that they hold, as /proc shows them."""

import os

from plaudit_sandbox.launcher import kernel

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


def descendants(root: int) -> list[int]:
    """All below `root`, without itself, as far as they can be seen."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = _children(waiting.pop())
        found += below
        waiting += below
    return found


def resident_bytes(pid: int) -> int:
    """0 when it is gone."""
    try:
        return int(kernel.read_proc(f"{pid}/statm").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    try:
        threads = kernel.list_proc(f"{pid}/task")
        texts = [kernel.read_proc(f"{pid}/task/{thread}/children") for thread in threads]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]
