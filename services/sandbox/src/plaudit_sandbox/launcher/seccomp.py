"""The system-call filter: no sockets, no new namespaces, no mounts, no tracing.

A refused call fails with EPERM, so a program sees an ordinary error. `socketpair` stays, since
asyncio needs it and it reaches nobody. Where there is no pid namespace, a program may signal only
itself (`own_signals`), so nobody else's process can be hit, and may start threads but no processes
(`single_process`), so nothing can outlive the kill of its process group. Compilers and shells may
start processes there, too; the monitor then ends what it has inherited from them.
Source of the rules: https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

from plaudit_sandbox.launcher import kernel

_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_MODE_FILTER = 2
_X32_BIT = 0x4000_0000

_NAMESPACES = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWCGROUP | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """System-call numbers of one architecture."""

    audit_arch: int
    denied: dict[str, int]
    clone: int
    clone3: int
    kill: int
    tgkill: int
    forks: tuple[int, ...]
    """Calls that only start processes, refused with `single_process`."""
    signals: tuple[int, ...]
    """Calls that only signal processes, refused with `own_signals`."""
    ownership: tuple[int, ...]
    """chmod, chown and their kin, refused with `shared_uid`: Landlock does not cover them."""


_COMMON = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
}  # fmt: skip
_X86_64 = Table(
    audit_arch=0xC000_003E,
    denied=_COMMON | {
        "socket": 41, "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155,
        "chroot": 161, "acct": 163, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168,
        "reboot": 169, "init_module": 175, "delete_module": 176, "quotactl": 179, "add_key": 248,
        "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "finit_module": 313, "kexec_load": 246, "bpf": 321,
        "userfaultfd": 323,
    },
    clone=56, clone3=435, kill=62, tgkill=234,
    forks=(57, 58), signals=(200, 129, 297, 424), ownership=(90, 91, 92, 93, 94, 260, 268, 452),
)  # fmt: skip
_AARCH64 = Table(
    audit_arch=0xC000_00B7,
    denied=_COMMON | {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89,
        "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105,
        "delete_module": 106, "syslog": 116, "ptrace": 117, "reboot": 142, "socket": 198,
        "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225,
        "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "bpf": 280,
        "userfaultfd": 282,
    },
    clone=220, clone3=435, kill=129, tgkill=131,
    forks=(), signals=(130, 138, 240, 424), ownership=(52, 53, 54, 55, 452),
)  # fmt: skip
_TABLES = {"x86_64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known."""
    return platform.machine() in _TABLES


def restrict(*, single_process: bool, own_signals: bool, shared_uid: bool) -> None:
    """Install the filter for the calling thread and all that it starts.

    `shared_uid`: other processes of this user have files that the program could chmod.

    `no_new_privs` must be set before. Raises OSError when the kernel refuses, KeyError on an
    unknown architecture.
    """
    program = _program(_TABLES[platform.machine()], single_process, own_signals, shared_uid)
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    kernel.prctl(kernel.PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(header))


def _program(
    table: Table, single_process: bool, own_signals: bool, shared_uid: bool
) -> list[bytes]:
    rules = [
        _load(_ARCHITECTURE), _if(_EQUAL, table.audit_arch, 1, 0), _return(_KILL),
        _load(_NUMBER), _if(_GREATER_EQUAL, _X32_BIT, 0, 1), _refuse(errno.EPERM),
        # The flags of clone3 lie in memory that a filter cannot read; libc falls back to clone.
        _if(_EQUAL, table.clone3, 0, 1), _refuse(errno.ENOSYS),
    ]  # fmt: skip
    denied = [*table.denied.values()]
    denied += table.forks if single_process else ()
    denied += table.signals if own_signals else ()
    denied += table.ownership if shared_uid else ()
    for number in denied:
        rules += [_if(_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    rules += _clone_rules(table, single_process)
    if own_signals:
        rules += _signal_rules(table)
    return [*rules, _return(_ALLOW)]


def _clone_rules(table: Table, single_process: bool) -> list[bytes]:
    checks = [_load(_FIRST_ARGUMENT), _if(_ANY_BIT, _NAMESPACES, 0, 1), _refuse(errno.EPERM)]
    if single_process:
        checks += [_if(_ANY_BIT, kernel.CLONE_THREAD, 1, 0), _refuse(errno.EPERM)]
    checks.append(_return(_ALLOW))
    return [_if(_EQUAL, table.clone, 0, len(checks)), *checks]


def _signal_rules(table: Table) -> list[bytes]:
    rules = []
    for number in (table.kill, table.tgkill):
        rules += [
            _if(_EQUAL, number, 0, 4),
            _load(_FIRST_ARGUMENT),
            _if(_EQUAL, os.getpid(), 1, 0),
            _refuse(errno.EPERM),
            _return(_ALLOW),
        ]
    return rules


def _load(offset: int) -> bytes:
    return struct.pack("@HBBI", _LOAD, 0, 0, offset)


def _if(test: int, value: int, skip_if_true: int, skip_if_false: int) -> bytes:
    return struct.pack("@HBBI", test, skip_if_true, skip_if_false, value)


def _return(action: int) -> bytes:
    return struct.pack("@HBBI", _RETURN, 0, 0, action)


def _refuse(number: int) -> bytes:
    return _return(_REFUSE | number)
