"""Programs that take all they can get: processes, threads, memory in any form, output, disk."""

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("leaves_nothing")
MEBIBYTE = 2**20


async def test_a_loud_fork_bomb_ends(sandbox: Any) -> None:
    result = await sandbox.run("import os\nwhile True:\n    os.fork()", wall_s=2)
    assert result.status in ("error", "timeout", "memory", "output")


async def test_a_silent_fork_bomb_is_over_at_the_wall_limit(sandbox: Any) -> None:
    code = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""
    result = await sandbox.run(code, wall_s=1, cpu_s=1)
    assert result.status == "timeout"


async def test_thousands_of_threads_are_bounded(sandbox: Any) -> None:
    code = """
import threading, time
try:
    for count in range(5000): threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
except RuntimeError:
    print(count)
"""
    assert int((await sandbox.run(code, wall_s=5)).stdout) <= 64


async def test_processes_are_counted(sandbox: Any) -> None:
    code = """
import os, time
for count in range(300):
    try:
        if os.fork() == 0: time.sleep(20)
    except OSError:
        break
print(count)
"""
    result = await sandbox.run(code, wall_s=10)
    if not await sandbox.has("pid_namespace"):
        assert result.stdout == "0\n"
    elif await sandbox.has("own_uid"):
        # The kernel does not count those of root, whom the other two only imitate here.
        assert 60 <= int(result.stdout) <= 64


async def test_a_memory_bomb_of_many_processes_is_one_bomb(sandbox: Any) -> None:
    code = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        block = bytearray(30 * 2**20)
        time.sleep(20)
time.sleep(20)
"""
    result = await sandbox.run(code, memory_bytes=128 * MEBIBYTE, wall_s=10)
    if await sandbox.has("pid_namespace"):
        assert (result.status, result.wall_s < 5) == ("memory", True)
    else:
        assert result.status == "error"


@pytest.mark.parametrize(
    "code",
    [
        # Pages that no process maps any more, but that the mapping keeps.
        "m = mmap.mmap(-1, 2**29)\nfor at in range(0, 2**29, 2**22):\n"
        "    m[at:at + 2**22] = bytes(2**22)\n    m.madvise(mmap.MADV_DONTNEED)\n"
        "    time.sleep(.01)\ntime.sleep(9)",
        # Many mappings, each under the limit.
        "ms = []\nfor _ in range(40):\n    m = mmap.mmap(-1, 2**24); m.write(bytes(2**24))\n"
        "    m.madvise(mmap.MADV_DONTNEED); ms.append(m)\n    time.sleep(.01)\ntime.sleep(9)",
    ],
    ids=["one", "many"],
)
async def test_shared_memory_out_of_sight_is_counted(sandbox: Any, code: str) -> None:
    result = await sandbox.run(
        f"import mmap, time\n{code}", memory_bytes=128 * MEBIBYTE, wall_s=8, cpu_s=8
    )
    assert (result.status, result.wall_s < 5) == ("memory", True)


@pytest.mark.parametrize(
    "code",
    [
        "os.memfd_create('x')",
        "os.write(0, bytes(2**20))",
        "os.ftruncate(0, 2**25)",
        "os.open('/dev/shm/x', os.O_CREAT | os.O_RDWR)",
        "os.posix_fallocate(0, 0, 2**25)",
    ],
)
async def test_there_is_no_memory_that_is_no_process_s(sandbox: Any, code: str) -> None:
    result = await sandbox.run(f"import os\n{code}\nprint('HELD')", stdin="input")
    assert (result.status, result.stdout) == ("error", "")


async def test_a_gigabyte_of_output_costs_neither_memory_nor_time(sandbox: Any) -> None:
    code = "import os\nblock = b'x' * 2**20\nfor _ in range(1024): os.write(1, block)"
    result = await sandbox.run(code, wall_s=10)
    assert (result.status, len(result.stdout)) == ("output", 65536)
    assert result.wall_s < 3


async def test_a_file_has_a_largest_size(sandbox: Any) -> None:
    code = "file = open('x', 'wb')\nwhile True: file.write(bytes(2**20))"
    result = await sandbox.run(code, wall_s=10)
    if result.status == "killed":  # where the disk is watched, the watch may see it first
        assert not await sandbox.has("private_tmp")
        return
    assert result.status == "error"
    assert result.stderr.strip().endswith(("File too large", "No space left on device"))


@pytest.mark.parametrize(
    "code",
    [
        "for n in range(10**6): open(str(n), 'wb').write(bytes(2**20))",
        "held = []\nfor n in range(250):\n    held.append(open('x', 'wb', buffering=0)); "
        "os.unlink('x')\n    held[-1].write(bytes(2**23))",
        "for n in range(10**6): open(str(n), 'w').close()",
        "for n in range(10**6): os.mkdir(str(n)); os.chdir(str(n))",
        "fd = os.open('x', os.O_CREAT | os.O_RDWR)\n"
        "for n in range(250): os.posix_fallocate(os.open(str(n), 66), 0, 2**25)",
    ],
    ids=["files", "unlinked", "empty", "nested", "reserved"],
)
async def test_the_disk_cannot_be_filled(sandbox: Any, code: str) -> None:
    result = await sandbox.run(f"import os\n{code}\nprint('ALL')", wall_s=10, cpu_s=10)
    assert "ALL" not in result.stdout
    if await sandbox.has("private_tmp"):
        assert (result.status, "No space left" in result.stderr) == ("error", True)
    elif result.status == "error":
        assert "PermissionError" in result.stderr
    else:
        assert (result.status, "disk_bytes" in result.stderr) == ("killed", True)
    assert result.wall_s < 9


async def test_directories_that_nobody_may_enter_are_removed(sandbox: Any) -> None:
    """Their owner can take the right to read and to enter from itself."""
    code = """
import os
for depth in range(30):
    os.mkdir("d"); open("file", "w").write("x"); os.chdir("d")
for _ in range(30):
    os.chdir("..")
    try: os.chmod("d", 0)
    except PermissionError: break
print(os.getcwd())
"""
    result = await sandbox.run(code)
    assert result.status == "ok", result.stderr


async def test_a_program_that_stops_itself_ends_at_the_wall_limit(sandbox: Any) -> None:
    result = await sandbox.run("import os; os.kill(os.getpid(), 19)", wall_s=1)
    assert (result.status, result.exit_code) == ("timeout", None)
