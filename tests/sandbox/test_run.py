"""What POST /v1/run promises about ordinary programs and about each limit."""

import asyncio
import time
from typing import Any

import pytest

from plaudit.errors import Rejected

MEBIBYTE = 2**20


async def test_runs_a_program_on_its_input(sandbox: Any) -> None:
    result = await sandbox.run("print(int(input()) + 1)", stdin="41\n")
    assert (result.status, result.exit_code, result.stdout, result.stderr) == ("ok", 0, "42\n", "")
    assert 0 < result.cpu_s < 1
    assert 0 < result.wall_s < 2
    assert MEBIBYTE < result.peak_memory_bytes < 100 * MEBIBYTE


async def test_a_traceback_reads_as_that_of_python(sandbox: Any) -> None:
    result = await sandbox.run("def f():\n    return 1 / 0\nf()")
    assert (result.status, result.exit_code) == ("error", 1)
    assert result.stderr.splitlines()[:2] == [
        "Traceback (most recent call last):",
        '  File "main.py", line 3, in <module>',
    ]
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")


async def test_a_syntax_error_is_the_programs_error(sandbox: Any) -> None:
    result = await sandbox.run("print(")
    assert result.status == "error"
    assert "SyntaxError" in result.stderr


@pytest.mark.parametrize(
    ("code", "exit_code", "stderr"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("exit(4)", 4, ""),
        ("raise SystemExit('bad')", 1, "bad\n"),
        ("import os; os._exit(5)", 5, ""),
    ],
)
async def test_the_exit_code_is_reported(
    sandbox: Any, code: str, exit_code: int, stderr: str
) -> None:
    result = await sandbox.run(code)
    assert (result.status, result.exit_code, result.stderr) == ("error", exit_code, stderr)


async def test_ends_as_an_interpreter_does(sandbox: Any) -> None:
    code = """
import atexit, threading, time
class Last:
    def __del__(self): print("deleted")
last = Last()
atexit.register(print, "at exit")
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
print("main", end="; ")
"""
    result = await sandbox.run(code)
    assert (result.status, result.stdout) == ("ok", "main; thread\nat exit\ndeleted\n")


async def test_looks_like_a_fresh_interpreter(sandbox: Any) -> None:
    code = """
import os, sys
print(__name__, __file__, sys.argv, dict(os.environ), sorted(os.listdir()), os.getcwd() in sys.path)
print([name for name in sys.modules if "plaudit" in name], sys.stdin.isatty(), sys.flags.isolated)
"""
    result = await sandbox.run(code)
    first, second = result.stdout.splitlines()
    assert first == "__main__ main.py ['main.py'] {} ['main.py'] True"
    assert second == "[] False 1"


async def test_files_are_put_beside_the_program(sandbox: Any) -> None:
    files = {
        "data/numbers.txt": "1 2 3",
        "helper.py": "def total(text): return sum(map(int, text.split()))",
    }
    code = "from helper import total\nprint(total(open('data/numbers.txt').read()))"
    result = await sandbox.run(code, files=files)
    assert (result.status, result.stdout) == ("ok", "6\n")


@pytest.mark.parametrize(
    "name",
    ["/etc/x", "../x", "a/../../x", "", ".", "a//b", "./a", "a/", "main.py", "a\0b", "x" * 300],
)
async def test_a_file_that_would_lie_elsewhere_is_refused(sandbox: Any, name: str) -> None:
    with pytest.raises(Rejected, match="files"):
        await sandbox.run("", files={name: "x"})


async def test_large_input_arrives_whole(sandbox: Any) -> None:
    text = "x" * 900_000 + "\nend\n"
    result = await sandbox.run("print(len(input()), input())", stdin=text)
    assert result.stdout == "900000 end\n"


async def test_input_that_nobody_reads_hurts_nobody(sandbox: Any) -> None:
    result = await sandbox.run("print(1)", stdin="x" * 900_000)
    assert (result.status, result.stdout) == ("ok", "1\n")


async def test_both_streams_are_read_at_once(sandbox: Any) -> None:
    code = (
        "import sys\nfor _ in range(50): sys.stdout.write('o' * 5000); sys.stderr.write('e' * 5000)"
    )
    result = await sandbox.run(code, output_bytes=300_000)
    assert (result.status, len(result.stdout), len(result.stderr)) == ("ok", 250_000, 250_000)


async def test_bytes_that_are_no_text_are_replaced(sandbox: Any) -> None:
    result = await sandbox.run(r"import sys; sys.stdout.buffer.write(b'\xffok')")
    assert result.stdout == "\N{REPLACEMENT CHARACTER}ok"


async def test_text_beyond_ascii_comes_back(sandbox: Any) -> None:
    result = await sandbox.run("print(input())", stdin="Zürich 東京 🚀\n")
    assert result.stdout == "Zürich 東京 🚀\n"


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "input()\nwhile True: pass"])
async def test_the_wall_limit_ends_a_program(sandbox: Any, code: str) -> None:
    started = time.monotonic()
    program = f"print('before', flush=True)\n{code}"
    result = await sandbox.run(program, stdin="\n", wall_s=0.5, cpu_s=60)
    assert (result.status, result.exit_code, result.stdout) == ("timeout", None, "before\n")
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("ignore", [False, True])
async def test_the_cpu_limit_ends_a_program_even_one_that_ignores_it(
    sandbox: Any, ignore: bool
) -> None:
    handler = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n" if ignore else ""
    result = await sandbox.run(f"{handler}while True: pass", cpu_s=1, wall_s=20)
    assert result.status == "timeout"
    assert result.cpu_s < 4


async def test_too_much_output_ends_a_program_and_is_cut(sandbox: Any) -> None:
    result = await sandbox.run("while True: print('x' * 1000)", output_bytes=10_000, wall_s=20)
    assert (result.status, len(result.stdout)) == ("output", 10_000)


async def test_output_that_just_fits_is_no_offence(sandbox: Any) -> None:
    fits = await sandbox.run("print('x' * 999)", output_bytes=1000)
    over = await sandbox.run("print('x' * 1000)", output_bytes=1000)
    assert (fits.status, over.status) == ("ok", "output")


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(10**10)",
        "x = bytes(100 * 2**20)",
        "x = []\nwhile True: x.append(bytes(10**6))",
        "import mmap\nm = mmap.mmap(-1, 10**9)\nfor i in range(0, 10**9, 4096): m[i] = 1",
    ],
)
async def test_the_memory_limit_ends_a_program(sandbox: Any, code: str) -> None:
    result = await sandbox.run(code, memory_bytes=64 * MEBIBYTE, wall_s=20, cpu_s=20)
    assert result.status == "memory"
    assert result.peak_memory_bytes < 512 * MEBIBYTE


async def test_memory_within_the_limit_is_fine(sandbox: Any) -> None:
    result = await sandbox.run(
        "x = bytearray(40 * 2**20); print(len(x))", memory_bytes=64 * MEBIBYTE
    )
    assert result.status == "ok"


async def test_a_signal_that_no_limit_explains_is_killed(sandbox: Any) -> None:
    result = await sandbox.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (result.status, result.exit_code) == ("killed", -9)
    result = await sandbox.run("import os; os.abort()")
    assert (result.status, result.exit_code) == ("killed", -6)


async def test_runs_beside_each_other_do_not_mix(sandbox: Any) -> None:
    results = await asyncio.gather(
        *(sandbox.run("print(input())", stdin=f"{number}\n") for number in range(40))
    )
    assert [result.stdout for result in results] == [f"{number}\n" for number in range(40)]


async def test_random_numbers_differ_between_runs(sandbox: Any) -> None:
    code = "import random; print(random.random())"
    results = await asyncio.gather(*(sandbox.run(code) for _ in range(4)))
    assert len({result.stdout for result in results}) == 4
