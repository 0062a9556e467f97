"""Far more requests at once than there are cores: none is lost, memory stays bounded."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NUM_REQUESTS = 2000
MAX_GROWTH_BYTES = 150 * 2**20


@pytest.fixture
async def pairs() -> list[tuple[str, str, float]]:
    """A text that Math-Verify has to be asked about, the reference, the verdict."""
    return [
        (f"\\frac{{{index}}}{{7}}", f"{index + index % 2}/7", float(index % 2 == 0))
        for index in range(NUM_REQUESTS)
    ]


def body(text: str, answer: str) -> dict[str, Any]:
    reference = {"answer": answer}
    group = {"group_id": "g", "prompt": [], "completions": [{"text": text}], "reference": reference}
    return {"groups": [group], "rewards": [{"name": "accuracy"}]}


async def ask(session: aiohttp.ClientSession, url: str, pair: tuple[str, str, float]) -> str:
    """`right`, `refused`, or what else came back."""
    text, answer, verdict = pair
    async with session.post(url, json=body(text, answer)) as response:
        if response.status == 429:
            return "refused" if "Retry-After" in response.headers else "429 without Retry-After"
        found = await response.json()
    if response.status != 200:
        return f"{response.status}: {found}"
    score = found["groups"][0]["scores"][0]
    return "right" if score["total"] == verdict else f"{score}"


async def all_at_once(running: Any, pairs: list[tuple[str, str, float]]) -> Counter[str]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    headers = {"X-Deadline-S": "110"}
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers
    ) as session:
        url = running.url + "/v1/score"
        return Counter(await asyncio.gather(*(ask(session, url, pair) for pair in pairs)))


async def test_two_thousand_requests_at_once_are_all_answered(
    service: Any, pairs: list[tuple[str, str, float]]
) -> None:
    running = await service()
    [worker] = await running.work("rules")
    before = {pid: peak_bytes(pid) for pid in (running.api.pid, worker.pid)}
    assert await all_at_once(running, pairs) == {"right": NUM_REQUESTS}
    growth = {pid: peak_bytes(pid) - bytes_before for pid, bytes_before in before.items()}
    assert max(growth.values()) < MAX_GROWTH_BYTES


async def test_those_that_find_no_room_are_refused_and_the_rest_is_answered(
    service: Any, pairs: list[tuple[str, str, float]]
) -> None:
    running = await service(max_queued="200")
    await running.work("rules")
    found = await all_at_once(running, pairs)
    assert set(found) == {"right", "refused"}
    assert found["right"] >= 200
    again = await all_at_once(running, pairs[:100])
    assert again == {"right": 100}


def peak_bytes(pid: int) -> int:
    """The most that was ever resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
