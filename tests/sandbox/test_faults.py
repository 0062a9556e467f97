"""What is the sandbox's own failure, and what is the request's."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Binary, Case, RunRequest
from tests.sandbox.conftest import connected

Process = Callable[..., AbstractContextManager[tuple[str, int]]]
MEBIBYTE = 2**20


async def test_more_than_the_disk_holds_is_the_requests_fault(own_sandbox: Process) -> None:
    with own_sandbox("self", disk_bytes=str(MEBIBYTE)) as (url, _):
        async with await connected(url) as client:
            with pytest.raises(Rejected, match="more than disk_bytes = 1048576 hold"):
                await client.run(RunRequest(code="", files={"x": "x" * 2 * MEBIBYTE}))
            assert (await client.run(RunRequest(code="print(1)"))).stdout == "1\n"


@pytest.mark.parametrize("text", ["?", "QQ", "Q Q=="])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no base64"):
        Binary(base64=text)


async def test_a_failure_of_the_sandbox_is_that_of_one_case_and_no_verdict(
    own_sandbox: Process,
) -> None:
    with own_sandbox("self") as (url, pid):
        async with await connected(url) as client:
            request = RunRequest(
                code="import time; time.sleep(float(input())); print('done')",
                cases=[Case(stdin=text) for text in "020"],
            )
            running = asyncio.create_task(client.run(request))
            await asyncio.sleep(1)
            [launcher] = children(pid)
            [monitor] = children(launcher)
            os.kill(monitor, signal.SIGKILL)
            told = await running
    assert [case.status for case in told.cases] == ["ok", "sandbox_error", "ok"]
    assert "monitor of this run died" in told.cases[1].reason
    assert told.status == "sandbox_error"


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
