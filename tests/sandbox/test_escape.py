"""What a hostile program may not do, at every tier; then the next run is as the first."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("leaves_nothing")


async def refused(sandbox: Any, code: str) -> str:
    """The program must not reach its last line."""
    result = await sandbox.run(f"{code}\nprint('ESCAPED')")
    assert "ESCAPED" not in result.stdout, result
    assert result.status != "ok", result
    return str(result.stderr)


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import socket; socket.create_connection(('127.0.0.1', {redis}), 2)",
        "import socket; socket.create_connection(('169.254.169.254', 80), 2)",
        "from socket import *; socket(AF_INET6, SOCK_DGRAM).sendto(b'x', ('::1', 53))",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0abstract')",
        "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import socket; socket.getaddrinfo('example.com', 80)",
    ],
)
async def test_no_network(sandbox: Any, redis_url: str, code: str) -> None:
    port = redis_url.rpartition(":")[2].partition("/")[0]
    await refused(sandbox, code.format(redis=port))


@pytest.mark.parametrize(
    "path",
    [
        "/proc/1/environ", "/proc/self/environ", "/proc/{service}/environ", "/proc/{service}/mem",
        "/proc/{service}/cmdline", "/proc/{parent}/environ", "/etc/passwd", "/etc/shadow",
        "{home}/.bashrc", __file__, "/proc/net/tcp", "/sys/kernel/notes", "/dev/vda", "/dev/tty",
    ],
)  # fmt: skip
async def test_no_file_outside_is_read(sandbox: Any, path: str) -> None:
    target = path.format(service=sandbox.pid, parent=os.getpid(), home=Path.home())
    await refused(sandbox, f"print(open({target!r}, 'rb').read(100))")


@pytest.mark.parametrize("directory", ["/", "/proc", "/tmp", "/root", "/home", "/work", ".."])
async def test_no_directory_outside_is_listed(sandbox: Any, directory: str) -> None:
    await refused(sandbox, f"import os; print(os.listdir({directory!r}))")


async def test_nothing_outside_can_be_seen_to_exist(sandbox: Any, tmp_path: Path) -> None:
    """Landlock leaves names, sizes and times of files; a root file system of its own does not."""
    if not await sandbox.has("private_root"):
        pytest.skip("this tier has no private root")
    (tmp_path / "key").write_text("key")
    places = ["/etc/passwd", "/proc", "/proc/1", "/sys", "/home", "/run", "/var", "/dev/vda"]
    code = f"import os; print([p for p in {[*places, str(tmp_path)]} if os.path.lexists(p)])"
    assert (await sandbox.run(code)).stdout == "[]\n"


async def test_the_root_cannot_be_changed(sandbox: Any) -> None:
    await refused(sandbox, "import os; os.mkdir('/new')")
    await refused(sandbox, "import os; os.rename('/usr', '/usr2')")
    await refused(sandbox, "import os; os.symlink('x', '/etc/x')")


@pytest.mark.parametrize(
    "code",
    [
        "open('/tmp/plaudit-escape', 'w')",
        "open('/dev/shm/plaudit-escape', 'w')",
        "open('/usr/lib/plaudit-escape', 'w')",
        "import sys; open(sys.prefix + '/plaudit-escape', 'w')",
        "import os; open(os.path.dirname(os.__file__) + '/os.py', 'a')",
        "open('../plaudit-escape', 'w')",
        "import os; os.mkdir('/tmp/plaudit-escape')",
        "import os; os.symlink('/etc/passwd', 'link'); open('link').read()",
        "import os; os.link('/etc/passwd', 'hard')",
        "import os; os.rename('main.py', '../main.py')",
        "import os; os.chmod('/tmp', 0o777)",
        "import os; os.mknod('null', 0o20666, os.makedev(1, 5))",
    ],
)
async def test_nothing_outside_is_written(sandbox: Any, code: str) -> None:
    await refused(sandbox, code)


@pytest.mark.parametrize(
    "call",
    [
        "unshare(0x10000000)", "unshare(0x00020000)", "mount(b'none', b'/', b'tmpfs', 0, None)",
        "ptrace(16, 1, 0, 0)", "setuid(0)", "setgid(0)", "chroot(b'.')", "setns(0, 0)",
        "syscall(321, 0, 0, 0)", "syscall(425, 8, 0)", "syscall(435, 0, 0)", "syscall(434, 1, 0)",
        "personality(0x0040000)",  "syscall(41, 2, 1, 0)",
    ],
)  # fmt: skip
async def test_privileged_calls_are_refused(sandbox: Any, call: str) -> None:
    code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)"
    await refused(sandbox, f"{code}\nif libc.{call} != 0: raise OSError(ctypes.get_errno())")


async def test_the_i386_and_x32_doors_are_shut(sandbox: Any) -> None:
    """socket() by its x32 number."""
    code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)"
    await refused(sandbox, f"{code}\nif libc.syscall(0x40000000 + 41, 2, 1, 0) < 0: raise OSError")


async def test_a_setuid_program_gives_nothing(sandbox: Any) -> None:
    code = """
import os, subprocess
done = subprocess.run(["/usr/bin/su", "-c", "id"], capture_output=True)
assert done.returncode == 0
"""
    await refused(sandbox, code)


async def test_has_no_capabilities_and_is_not_root(sandbox: Any) -> None:
    code = """
import ctypes, os
header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capget(header, data) == 0
print(os.getuid() != 0, list(data))
"""
    result = await sandbox.run(code)
    assert result.stdout == "True [0, 0, 0, 0, 0, 0]\n"


async def test_no_descriptor_of_ours_is_open(sandbox: Any) -> None:
    code = """
import os
found = []
for number in range(256):
    try: os.fstat(number); found.append(number)
    except OSError: pass
print(found)
"""
    assert (await sandbox.run(code)).stdout == "[0, 1, 2]\n"


async def test_other_runs_cannot_be_found_in_memory(sandbox: Any) -> None:
    needle = "needle-of-another-run-3141592653"
    await sandbox.run(f"x = {needle!r}; print(input())", stdin=needle, files={"note.txt": needle})
    code = """
import gc
needle = input()[::-1]
print(sum(needle in repr(one)[:10000] for one in gc.get_objects() if one is not globals()))
"""
    assert (await sandbox.run(code, stdin=needle[::-1])).stdout == "0\n"


async def test_nothing_stays_from_one_run_to_the_next(sandbox: Any) -> None:
    first = "import os, builtins\nbuiltins.mark = open('left.txt', 'w')\nprint(os.getcwd())"
    where = (await sandbox.run(first)).stdout.strip()
    second = f"""
import builtins, os
print(os.listdir(), "mark" in vars(builtins), os.path.exists({where + "/left.txt"!r}))
"""
    assert (await sandbox.run(second)).stdout == "['main.py'] False False\n"


async def test_a_daemon_dies_with_its_program(sandbox: Any) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(1000)
    os._exit(0)
os.wait()
print("parent ends")
"""
    result = await sandbox.run(code, wall_s=5)
    assert result.status == ("ok" if await sandbox.has("pid_namespace") else "error")
    assert result.wall_s < 3


async def test_a_daemon_that_holds_the_pipes_does_not_hold_the_answer(sandbox: Any) -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(1000)\nprint('done')"
    result = await sandbox.run(code, wall_s=5)
    assert result.wall_s < 3


async def test_a_program_cannot_signal_anybody(sandbox: Any) -> None:
    code = """
import os, signal
for pid in [-1, 1, os.getppid() or 1, {service}, {tests}]:
    try: os.kill(pid, signal.SIGKILL)
    except (PermissionError, ProcessLookupError): pass
print("alive")
"""
    code = code.format(service=sandbox.pid, tests=os.getpid())
    result = await sandbox.run(code)
    assert (result.status, result.stdout) == ("ok", "alive\n")


async def test_runs_at_the_same_time_do_not_see_each_other(sandbox: Any) -> None:
    waiting = asyncio.create_task(
        sandbox.run("import os, time\nprint(os.getcwd(), flush=True)\ntime.sleep(1.5)", wall_s=5)
    )
    await asyncio.sleep(0.3)
    code = """
import glob, os
seen = [p for p in glob.glob('/tmp/**/main.py', recursive=True) if not p.startswith(os.getcwd())]
print(seen)
"""
    assert (await sandbox.run(code)).stdout == "[]\n"
    assert (await waiting).status == "ok"
