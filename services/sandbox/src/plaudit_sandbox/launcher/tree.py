"""Processes below a process, and the memory that they hold, as /proc shows them."""

import os

from plaudit_sandbox.launcher import kernel

MAX_SEEN = 1024
"""A bomb may grow faster than anybody can count."""
_SHARED_ANONYMOUS = "/dev/zero (deleted)"
"""How the kernel names such memory."""
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


def descendants(root: int) -> list[int]:
    """All below `root`, without itself, as far as they can be seen; of a crowd, a part."""
    found: list[int] = []
    waiting = [root]
    while waiting and len(found) < MAX_SEEN:
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


def shared_mapping_bytes(pids: list[int]) -> int:
    """Of the anonymous memory that they share, which stays when none of them has it mapped in."""
    sizes: dict[str, int] = {}
    for pid in pids:
        for line in _shared_mappings(pid):
            span, _, _, device, inode = line.split()[:5]
            start, _, end = span.partition("-")
            size_bytes = int(end, 16) - int(start, 16)
            sizes[f"{device} {inode}"] = max(size_bytes, sizes.get(f"{device} {inode}", 0))
    return sum(sizes.values())


def _shared_mappings(pid: int) -> list[str]:
    try:
        text = kernel.read_proc(f"{pid}/maps")
    except OSError:
        return []
    if _SHARED_ANONYMOUS not in text:
        return []
    return [line for line in text.splitlines() if line.endswith(_SHARED_ANONYMOUS)]


def _children(pid: int) -> list[int]:
    try:
        threads = kernel.list_proc(f"{pid}/task")
        texts = [kernel.read_proc(f"{pid}/task/{thread}/children") for thread in threads]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]
