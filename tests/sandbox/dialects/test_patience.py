"""A place in a line for clients that do not understand 429."""

import asyncio

import httpx

from tests.sandbox.conftest import connected, sandbox_process
from tests.sandbox.dialects.conftest import HEADERS, as_open_r1_sends, as_verl_sends, fusion, piston


async def test_more_than_may_wait_here_wait_outside() -> None:
    """verl has 64 requests in flight and takes a refusal for a wrong answer."""
    with sandbox_process("self", max_concurrency="2", max_waiting="1") as (url, _):
        client = await connected(url)
        await client.aclose()
        async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as http:
            answers = await asyncio.gather(
                *(fusion(http, as_verl_sends("print(input())", f"{n}\n")) for n in range(32)),
                *(piston(http, as_open_r1_sends("print(input())", stdin="x")) for _ in range(32)),
            )
    outputs = [answer["run_result"]["stdout"] for answer in answers[:32]]
    assert outputs == [f"{number}\n" for number in range(32)]
    assert {answer["run"]["stdout"] for answer in answers[32:]} == {"x\n"}
