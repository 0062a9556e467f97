"""The system calls that Python 3.11 has no function for. Each raises OSError when refused."""

import ctypes
import os

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
CLONE_NEWTIME = 0x0000_0080
CLONE_THREAD = 0x0001_0000

MS_RDONLY, MS_NOSUID, MS_NODEV = 1, 2, 4
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

PROC = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
"""Leads to /proc also from a root file system that has none. Programs do not inherit it."""

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "arm64": 41}
_MNT_DETACH = 2
_CAPABILITY_VERSION_3 = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def prctl(option: int, argument: int = 0, pointer: int = 0) -> None:
    zero = ctypes.c_ulong(0)
    arguments = ctypes.c_ulong(argument), ctypes.c_ulong(pointer), zero, zero
    _check(_libc.prctl(ctypes.c_int(option), *arguments), f"prctl {option}")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    arguments = (
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(_libc.mount(*arguments), f"mount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    new, old = ctypes.c_char_p(os.fsencode(new_root)), ctypes.c_char_p(os.fsencode(put_old))
    number = ctypes.c_long(_PIVOT_ROOT[os.uname().machine])
    _check(_libc.syscall(number, new, old), "pivot_root")


def umount_lazily(target: str) -> None:
    """Out of sight at once, gone when nobody uses it any more."""
    _check(_libc.umount2(os.fsencode(target), ctypes.c_int(_MNT_DETACH)), f"umount {target}")


def read_proc(path: str) -> str:
    """A file of /proc, also where the file system has none."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=PROC)) as file:
        return file.read()


def list_proc(path: str) -> list[str]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=PROC)
    try:
        return os.listdir(handle)
    finally:
        os.close(handle)


def write_proc(path: str, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=PROC), "w") as file:
        file.write(text)


def syscall(number: int, *arguments: int) -> int:
    """A raw system call with integer (or address) arguments."""
    converted = [ctypes.c_ulong(argument & 0xFFFF_FFFF_FFFF_FFFF) for argument in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *converted), f"syscall {number}")


def drop_capabilities() -> None:
    """Empty all three capability sets of the calling thread."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    empty = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, empty), "capset")


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
