"""Landlock: a process gives up every path but the listed ones, for itself and its children.

Source: https://docs.kernel.org/userspace-api/landlock.html (ABI 1 to 7). It needs no privilege
and works in an ordinary container. Its TCP rules are a second line behind seccomp.
"""

import ctypes
import os
import stat
import struct
from functools import cache

from plaudit_sandbox.launcher.kernel import syscall

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a directory
DEVICE = 1 << 1 | 1 << 2
_ON_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP_BIND_CONNECT = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


@cache
def abi() -> int:
    """The version that the kernel offers; 0 when it has no Landlock."""
    try:
        return syscall(_CREATE, 0, 0, _VERSION_FLAG)
    except OSError:
        return 0


def all_rights() -> int:
    """Every file-system right that this kernel can restrict."""
    return (1 << _RIGHTS_BY_ABI.get(abi(), 16)) - 1


def restrict(rules: list[tuple[str, int]]) -> None:
    """Allow only `rules` (path, rights) from here on; a path that does not exist is skipped.

    `no_new_privs` must be set before. Raises OSError when Landlock is not available.
    """
    version = abi()
    attributes = struct.pack(
        "<QQQ",
        all_rights(),
        _TCP_BIND_CONNECT if version >= 4 else 0,
        _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    buffer = ctypes.create_string_buffer(attributes)
    ruleset = syscall(_CREATE, ctypes.addressof(buffer), size, 0)
    for path, rights in rules:
        _allow(ruleset, path, rights)
    syscall(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights &= all_rights()
    if not stat.S_ISDIR(os.fstat(handle).st_mode):
        rights &= _ON_FILES
    rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, handle))
    syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.addressof(rule), 0)
    os.close(handle)
