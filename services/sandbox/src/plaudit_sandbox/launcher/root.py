"""A root file system of the launcher's own: what programs need, read-only, and nothing else.

It is made once, for all runs, in a mount namespace that nobody else sees: a small file system in
memory, in which the system's libraries, the toolchains and a few devices appear where programs
expect them. There is no /proc, /sys, /home, /run or /tmp in it, so a program cannot even see that
something is there. `kernel.PROC` leads the launcher itself to /proc.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable, Sequence

from plaudit_sandbox.launcher import kernel

_SIZE = "size=1m,nr_inodes=4096,mode=0755"
_MOUNT_SETATTR = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8


def enter(readable: Sequence[str], devices: Sequence[str], directory: str) -> None:
    """Leave the machine's file system for good. `directory` stays as it is, writable.

    Paths that do not exist here are left out. Raises OSError when the machine does not allow it;
    the calling process is then in an unknown state.
    """
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    working = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    quiet = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", directory, "tmpfs", quiet, _SIZE)
    for path in _outermost(readable):
        _show(path, directory, _RDONLY | _NOSUID | _NODEV)
    for path in devices:
        _show(path, directory, _NOSUID | _NOEXEC)
    os.makedirs(directory + directory, mode=0o755)
    _bind(f"/proc/self/fd/{working}", directory + directory, _NOSUID | _NODEV)
    os.close(working)
    os.chdir(directory)
    kernel.pivot_root(".", ".")
    kernel.umount_lazily(".")
    os.chdir("/")
    kernel.mount("none", "/", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | quiet)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Each with what it really is, less those below another one."""
    wanted = {*paths, *map(os.path.realpath, paths)}
    return sorted(path for path in wanted if not any(_is_below(path, other) for other in wanted))


def _is_below(path: str, other: str) -> bool:
    # Below a link there is nothing of its own.
    return path.startswith(other + "/") and not os.path.islink(other)


def _show(path: str, root: str, attributes: int) -> None:
    target = root + path
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    if stat.S_ISLNK(kind):
        os.symlink(os.readlink(path), target)
        return
    if stat.S_ISDIR(kind):
        os.makedirs(target, mode=0o755, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
    _bind(path, target, attributes)


def _bind(source: str, target: str, attributes: int) -> None:
    """With all that is mounted below it. Attributes that a mount has already, it keeps."""
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    request = ctypes.create_string_buffer(struct.pack("<QQQQ", attributes, 0, 0, 0), 32)
    path = ctypes.create_string_buffer(os.fsencode(target))
    address, size = ctypes.addressof(request), len(request)
    kernel.syscall(_MOUNT_SETATTR, _AT_FDCWD, ctypes.addressof(path), _AT_RECURSIVE, address, size)
