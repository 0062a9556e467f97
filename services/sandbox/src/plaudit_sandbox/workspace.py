"""The launcher's directory, and those that killed services have left behind.

A directory is in use as long as its service holds a lock on it, which ends with the process.
"""

import fcntl
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from plaudit_sandbox.launcher.scratch import Scratch

PREFIX = "plaudit-sandbox-"
MIN_AGE_S = 60.0
"""A younger one may be of a service that has not come to lock it yet."""


class Workspace:
    """A fresh directory of this process."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix=PREFIX)
        self._handle = _lock(self.path)

    def remove(self) -> None:
        _remove(self.path)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def remove_leftovers(parent: str | None = None, min_age_s: float = MIN_AGE_S) -> None:
    """What nobody holds any more. What cannot be removed stays."""
    newest_s = time.time() - min_age_s
    for path in Path(parent or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _changed_s(path) > newest_s or (handle := _lock(str(path))) is None:
            continue
        _remove(str(path))
        os.close(handle)


def _remove(path: str) -> None:
    """Programs have made what is in it, to hurt perhaps: deeper than any recursion goes."""
    with suppress(OSError):
        Scratch(path, max_bytes=0).remove()


def _changed_s(path: Path) -> float:
    try:
        return path.lstat().st_ctime
    except OSError:
        return time.time()


def _lock(path: str) -> int | None:
    """None: another process holds it, or it is no directory of ours."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
