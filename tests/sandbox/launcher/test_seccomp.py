"""The filter alone, where Landlock and namespaces would refuse the same and hide a hole in it."""

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plaudit_sandbox.launcher import syscalls

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


def outcome(
    code: str, *, single: bool = False, own: bool = False, shared: bool = False, **options: Any
) -> str:
    """What the code prints behind the filter."""
    code = PRELUDE.format(single=single, own=own, shared=shared) + code
    command = [sys.executable, "-c", code]
    options["env"] = os.environ | options.get("env", {})
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, **options)
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


@pytest.mark.parametrize("call", ["112", "109, 0, 0"], ids=["setsid", "setpgid"])
def test_without_a_pid_namespace_no_child_leaves_the_group_that_is_killed_as_one(call: str) -> None:
    code = f"""
if os.fork() == 0:
    print(call({call}), flush=True); os._exit(0)
os.wait()
"""
    assert outcome(code, own=True) == "EPERM"
    assert outcome(code) == "ok"


def test_files_of_a_shared_user_keep_their_modes() -> None:
    assert outcome("print(call(90, b'/nonexistent', 0o777))", shared=True) == "EPERM"
    assert outcome("print(call(90, b'/nonexistent', 0o777))") == "ENOENT"


def test_sockets_are_refused_and_socketpairs_are_not() -> None:
    assert outcome("print(call(41, 1, 1, 0))") == "EPERM"
    assert outcome("import socket; print(len(socket.socketpair()))") == "2"


@pytest.mark.parametrize(
    "arguments",
    [
        "AF_UNIX, SOCK_DGRAM",
        "AF_UNIX, SOCK_RAW",
        "AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC",
        "30, SOCK_STREAM",
    ],
)
def test_a_socketpair_that_could_send_to_others_is_refused(arguments: str) -> None:
    """Either end of a pair of datagram sockets may send to any local socket by its path."""
    code = f"from socket import *; socketpair({arguments})"
    assert "PermissionError" in outcome(code)


def test_an_end_of_a_stream_pair_reaches_nobody_else(tmp_path: Path) -> None:
    code = """
import socket
server = socket.socket(fileno=int(os.environ["SERVER"]))
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    try: ours.connect(os.environ["ADDRESS"]); print("connected")
    except OSError: pass
    try: ours.sendto(b"x", os.environ["ADDRESS"])
    except OSError: pass
server.setblocking(False)
try: print("received", server.recv(1))
except BlockingIOError: print("nothing")
"""
    address = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(address)
        env = {"SERVER": str(server.fileno()), "ADDRESS": address}
        assert outcome(code, env=env, pass_fds=(server.fileno(),)) == "nothing"


@pytest.mark.parametrize(
    "call",
    [
        "302, parent, 7, 0, 0", "203, parent, 8, 0", "144, parent, 5, 0", "142, parent, 0",
        "314, parent, 0, 0", "141, 0, parent, 19", "141, 2, os.getuid(), 19", "251, 1, parent, 0",
        "29, 0, 4096, 0o1600", "64, 0, 1, 0o1600", "68, 0, 0o1600", "240, b'x', 0o102, 0o600, 0",
    ],
)  # fmt: skip
def test_others_of_the_same_user_are_not_slowed_limited_or_met(call: str) -> None:
    """prlimit, the scheduler, nice values, System V memory, semaphores and queues."""
    assert outcome(f"print(call({call}))", own=True) == "EPERM"


def test_a_program_may_limit_itself() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
os.sched_setaffinity(0, os.sched_getaffinity(0))
print(resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE))
"""
    assert outcome(code, own=True) == "(100, 100)"


@pytest.mark.parametrize(
    "number", [319, 447, 253, 294, 278, 272, 165, 101, 321, 298, 323, 425, 310, 250, 434, 438, 312]
)
def test_calls_that_no_program_needs_are_refused(number: int) -> None:
    assert outcome(f"print(call({number}, 0, 0, 0, 0, 0))") == "EPERM"


def test_calls_newer_than_the_filter_do_not_exist() -> None:
    assert outcome("print(call(468, 0, 0, 0), call(1000, 0, 0))") == "ENOSYS ENOSYS"
    assert outcome("print(call(0x40000000 + 41, 2, 1, 0))") == "EPERM"


def test_every_number_is_named_once() -> None:
    for table in (syscalls.X86_64, syscalls.AARCH64):
        groups = (table.denied, table.forks, table.reaches_others, table.ownership)
        numbers = [number for group in groups for number in group.values()]
        assert len(numbers) == len(set(numbers))
        assert max(numbers) <= 467
