"""A child process has its limits for each answer, also where one line brings several."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from plaudit_reward.child_process import Child, ChildLimits, next_line

Start = Callable[[str], Awaitable[Child]]
BUSY = "import time; done = time.process_time() + {cpu_s}\nwhile time.process_time() < done: pass\n"
LINE = "print('through', flush=True)\n"
LIMITS = ChildLimits(wall_s=20.0, memory_bytes=2**30, cpu_s=0.3)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def call(program: str) -> Child:
            ours, theirs = socket.socketpair()
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", program, stdout=theirs.fileno()
                )
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            stack.push_async_callback(process.wait)
            stack.callback(writer.close)
            stack.callback(end, process)
            return Child(process.pid, reader, writer)

        yield call


def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


async def test_a_line_that_takes_too_much_time_is_not_waited_for(start: Start) -> None:
    child = await start(BUSY.format(cpu_s=60) + LINE)
    assert await next_line(child, LIMITS) == "timeout"


async def test_each_answer_of_a_line_has_the_time_of_one(start: Start) -> None:
    child = await start(BUSY.format(cpu_s=1) + LINE)
    num_looks = 0

    def num_done() -> int:
        nonlocal num_looks
        num_looks += 1
        return num_looks // 2

    assert await next_line(child, LIMITS, num_done) == b"through\n"
    assert num_looks > 6


async def test_the_answer_that_hangs_has_it_too(start: Start) -> None:
    child = await start(BUSY.format(cpu_s=60))
    assert await next_line(child, LIMITS, lambda: 3) == "timeout"


async def test_of_a_child_that_dies_it_is_looked_up_what_it_has_done(start: Start) -> None:
    looks: list[str] = []

    def num_done() -> int:
        looks.append("look")
        return 0

    child = await start("print('no newline', end='')")
    await asyncio.sleep(0.2)
    assert await next_line(child, LIMITS, num_done) == "died"
    assert looks == ["look"]
