"""One update of a discriminator at a time: a lock on a file, which dies with its process.

It saves the work of a second writer. Should two hold it, on a file system without locks, renaming
the finished version still lets only one through.
"""

import asyncio
import fcntl
import time
from pathlib import Path
from typing import IO

from plaudit.errors import Unavailable

LOCK = ".lock"
POLL_S = 0.02


async def locked(directory: Path, timeout_s: float) -> IO[bytes]:
    """Whoever closes the file gives the lock up. Raises Unavailable."""
    deadline_s = time.monotonic() + timeout_s
    try:
        file = _opened(directory)
    except OSError as error:
        raise Unavailable(
            f"directory = {str(directory)!r} cannot be written to: {type(error).__name__}.",
            fix="make it, and let the workers read and write there",
        ) from error
    try:
        while not _taken(file):
            if time.monotonic() > deadline_s:
                raise Unavailable(
                    f"another worker has updated {str(directory)!r} for {timeout_s:g} s.",
                    retry_after_s=1.0,
                )
            await asyncio.sleep(POLL_S)
    except BaseException:
        file.close()
        raise
    return file


def _opened(directory: Path) -> IO[bytes]:
    directory.mkdir(parents=True, exist_ok=True)
    return (directory / LOCK).open("ab")


def _taken(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
