"""The filter alone, where Landlock and namespaces would refuse the same and hide a hole in it."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the calls below are named by their x86-64 numbers"
)
PRELUDE = """
import ctypes, errno, os, signal
from plaudit_sandbox.launcher import kernel, seccomp
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "ok"
parent = os.getppid()
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
seccomp.restrict(single_process={single}, own_signals={own}, shared_uid={shared})
"""


def outcome(code: str, *, single: bool = False, own: bool = False, shared: bool = False) -> str:
    """What the code prints behind the filter."""
    code = PRELUDE.format(single=single, own=own, shared=shared) + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("number", [57, 58], ids=["fork", "vfork"])
def test_no_process_is_started_where_only_one_may_run(number: int) -> None:
    assert outcome(f"print(call({number}))", single=True) == "EPERM"


@pytest.mark.parametrize("flags", [0x11, 0x10000000 | 0x11])
def test_clone_makes_threads_only(flags: int) -> None:
    assert outcome(f"print(call(56, {flags}, 0, 0, 0, 0))", single=True) == "EPERM"
    code = (
        "import threading; t = threading.Thread(target=print, args=('ran',)); t.start(); t.join()"
    )
    assert outcome(code, single=True) == "ran"


def test_clone3_is_said_not_to_exist_so_that_libc_falls_back() -> None:
    assert outcome("print(call(435, 0, 0))") == "ENOSYS"


def test_new_namespaces_are_refused_to_a_program_that_may_fork() -> None:
    assert outcome("print(call(56, 0x10000000 | 0x11, 0, 0, 0, 0))") == "EPERM"
    assert outcome("print(os.waitstatus_to_exitcode(os.system('exit 3')))") == "3"


@pytest.mark.parametrize("number", [62, 234, 200, 129], ids=["kill", "tgkill", "tkill", "queue"])
@pytest.mark.parametrize("single", [True, False])
def test_without_a_pid_namespace_a_program_signals_only_itself(number: int, single: bool) -> None:
    code = f"print(call({number}, parent, 0, 0, 0))"
    assert outcome(code, single=single, own=True) == "EPERM"
    assert outcome("print(call(62, os.getpid(), 0))", single=single, own=True) == "ok"
    assert outcome("print(call(62, -1, 0), call(62, 0, 0))", own=True) == "EPERM EPERM"


def test_files_of_a_shared_user_keep_their_modes() -> None:
    assert outcome("print(call(90, b'/nonexistent', 0o777))", shared=True) == "EPERM"
    assert outcome("print(call(90, b'/nonexistent', 0o777))") == "ENOENT"


def test_sockets_are_refused_and_socketpairs_are_not() -> None:
    assert outcome("print(call(41, 1, 1, 0))") == "EPERM"
    assert outcome("import socket; print(len(socket.socketpair()))") == "2"
