"""Writes that are whole or absent, and a full disk told in words."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plaudit.errors import ConfigError

DISK_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
FIX = (
    "free space there, lower budget.keep_checkpoints or budget.keep_policies, or move the run "
    "directory to a larger disk; then resume the run"
)


@contextmanager
def writing(what: str, directory: Path) -> Iterator[None]:
    """Raises ConfigError when the disk refuses; what was written under another name is removed."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRNOS:
            raise
        raise _refusal(what, directory, error) from error
    except Exception as error:  # why: torch and safetensors have types of their own for a full disk
        if not _is_disk_error(error):
            raise
        raise _refusal(what, directory, error) from error


def _is_disk_error(error: Exception) -> bool:
    """torch.save names no errno, only its zip writer; safetensors ends in "(os error 28)"."""
    marks = ["inline_container.cc", "PytorchStreamWriter", "iostream error"]
    marks += [f"(os error {code})" for code in DISK_ERRNOS]
    return any(mark in str(error) for mark in marks)


def _refusal(what: str, directory: Path, error: Exception) -> ConfigError:
    free_mb = shutil.disk_usage(directory).free / 1e6
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ConfigError(
        f"--run-dir: {what} cannot be written to {str(directory)!r}, where {free_mb:.0f} MB are "
        f"free: the disk is full, over quota or read-only ({reason}).",
        fix=FIX,
    )


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Write into the yielded directory; it becomes `target` when all of it is on disk."""
    temporary = target.parent / f".tmp-{target.name}-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        sync_tree(temporary)
        temporary.rename(target)
        sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(directory: Path) -> None:
    """What a crash left half-written."""
    for path in directory.glob(".tmp-*"):
        shutil.rmtree(path, ignore_errors=True)


def sync_tree(directory: Path) -> None:
    for path in directory.rglob("*"):
        if not path.is_symlink():
            sync(path)
    sync(directory)


def append_line(path: Path, line: str) -> None:
    """On disk when this returns. A line that a crash cut short is closed off first."""
    with path.open("ab+") as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Wait until a file or directory is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
