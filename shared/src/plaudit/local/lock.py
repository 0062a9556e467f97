"""One supervisor per directory: two Redis servers on one append-only file would destroy it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit.local.directory import make_directory

LOCK_NAME = ".lock"


@contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Holds `directory` (made when needed). Raises ConfigError when another process holds it."""
    make_directory(directory)
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode() or "unknown"
            raise ConfigError(
                f"{directory} is in use by another plaudit, process {owner}.",
                fix=f"stop that one first (kill {owner}), or use another directory",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
