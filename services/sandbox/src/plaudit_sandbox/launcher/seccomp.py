"""The system-call filter: no sockets, no new namespaces, no mounts, no tracing.

A refused call fails with EPERM, so a program sees an ordinary error. Calls that are newer than the
filter do not exist for it. `socketpair` stays for streams, since asyncio needs it and it reaches
nobody; an unconnected one could send to any local socket. Where there is no pid namespace, a
program may reach only itself (`own_signals`), so nobody else's process can be hit, and may start
threads but no processes (`single_process`), so nothing can outlive the kill of its process group.
Compilers and shells may start processes there, too, but none may leave that group.
Source of the rules: https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

import ctypes
import errno
import os
import platform
import struct
from functools import cache
from itertools import product

from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.launcher.syscalls import TABLES, Table

_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AND = 0x54
_ALLOW, _REFUSE, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_MODE_FILTER = 2
_RULE_BYTES = 8
_X32_BIT = 0x4000_0000
_NEWEST_CALL = 467
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_TYPE_MASK = 1, 1, 5, 0xF

_NAMESPACES = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWCGROUP | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET
)  # fmt: skip


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known."""
    return platform.machine() in TABLES


def prepare() -> None:
    """Make the parts that all programs share: those that are forked from here need not."""
    for single_process, own_signals, shared_uid in product((False, True), repeat=3):
        _common_rules(platform.machine(), single_process, own_signals, shared_uid)


def restrict(*, single_process: bool, own_signals: bool, shared_uid: bool) -> None:
    """Install the filter for the calling thread and all that it starts.

    `shared_uid`: other processes of this user have files that the program could chmod.

    `no_new_privs` must be set before. Raises OSError when the kernel refuses, KeyError on an
    unknown architecture.
    """
    table = TABLES[platform.machine()]
    own = _own_process_rules(table) if own_signals else []
    rules = _common_rules(platform.machine(), single_process, own_signals, shared_uid)
    program = [rules, *own, _return(_ALLOW)]
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(
        struct.pack("@HP", (len(code) - 1) // _RULE_BYTES, ctypes.addressof(code))
    )
    kernel.prctl(kernel.PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(header))


@cache
def _common_rules(machine: str, single_process: bool, own_signals: bool, shared_uid: bool) -> bytes:
    """All but those that name the program's own process."""
    table = TABLES[machine]
    rules = [
        _load(_ARCHITECTURE), _if(_EQUAL, table.audit_arch, 1, 0), _return(_KILL),
        _load(_NUMBER), _if(_GREATER_EQUAL, _X32_BIT, 0, 1), _refuse(errno.EPERM),
        _if(_GREATER_EQUAL, _NEWEST_CALL + 1, 0, 1), _refuse(errno.ENOSYS),
        # The flags of clone3 lie in memory that a filter cannot read; libc falls back to clone.
        _if(_EQUAL, table.clone3, 0, 1), _refuse(errno.ENOSYS),
    ]  # fmt: skip
    denied = [*table.denied.values()]
    denied += table.forks.values() if single_process else ()
    denied += table.reaches_others.values() if own_signals else ()
    denied += table.ownership.values() if shared_uid else ()
    for number in denied:
        rules += [_if(_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    rules += _when(table.clone, _clone_rules(single_process))
    rules += _when(table.socketpair, _SOCKETPAIR_RULES)
    return b"".join(rules)


def _clone_rules(single_process: bool) -> list[bytes]:
    rules = [_load(_FIRST_ARGUMENT), _if(_ANY_BIT, _NAMESPACES, 0, 1), _refuse(errno.EPERM)]
    if single_process:
        rules += [_if(_ANY_BIT, kernel.CLONE_THREAD, 1, 0), _refuse(errno.EPERM)]
    return [*rules, _return(_ALLOW)]


def _own_process_rules(table: Table) -> list[bytes]:
    """A pid in the first argument must be the caller's own, or 0 where that stands for it."""
    rules = []
    for number in table.signals_by_pid:
        rules += _when(number, _first_argument_is(os.getpid()))
    for number in table.limits_by_pid:
        rules += _when(number, _first_argument_is(0, os.getpid()))
    return rules


def _when(number: int, rules: list[bytes]) -> list[bytes]:
    """`rules`, which all end in a verdict, for one system call."""
    return [_if(_EQUAL, number, 0, len(rules)), *rules]


def _first_argument_is(*values: int) -> list[bytes]:
    rules = [_load(_FIRST_ARGUMENT)]
    for value in values:
        rules += [_if(_EQUAL, value, 0, 1), _return(_ALLOW)]
    return [*rules, _refuse(errno.EPERM)]


def _load(offset: int) -> bytes:
    return struct.pack("@HBBI", _LOAD, 0, 0, offset)


def _and(mask: int) -> bytes:
    return struct.pack("@HBBI", _AND, 0, 0, mask)


def _if(test: int, value: int, skip_if_true: int, skip_if_false: int) -> bytes:
    return struct.pack("@HBBI", test, skip_if_true, skip_if_false, value)


def _return(action: int) -> bytes:
    return struct.pack("@HBBI", _RETURN, 0, 0, action)


def _refuse(number: int) -> bytes:
    return _return(_REFUSE | number)


_SOCKETPAIR_RULES = [
    _load(_FIRST_ARGUMENT), _if(_EQUAL, _AF_UNIX, 1, 0), _refuse(errno.EPERM),
    _load(_SECOND_ARGUMENT), _and(_SOCK_TYPE_MASK),
    _if(_EQUAL, _SOCK_STREAM, 2, 0), _if(_EQUAL, _SOCK_SEQPACKET, 1, 0), _refuse(errno.EPERM),
    _return(_ALLOW),
]  # fmt: skip
