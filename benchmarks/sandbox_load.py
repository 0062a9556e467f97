"""Load on a sandbox over HTTP: as many requests as it takes, and twice as many."""

import asyncio
import random
import time
from dataclasses import dataclass, field

import aiohttp
from sandbox_peers import CODE, STDIN

OUTPUT = b'"stdout":"13\\n"'
START_TIMEOUT_S = 60.0
OURS = ("/v1/run", {"code": CODE, "stdin": STDIN})
FUSIONS = ("/run_code", {"code": CODE, "stdin": STDIN, "language": "python"})

Target = tuple[str, dict[str, str]]
"""Path and body."""


@dataclass
class Overload:
    """What happened to requests that came at a rate, whatever was answered."""

    offered_per_s: float
    seconds: float
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)


async def closed_loop(url: str, target: Target, concurrency: int, seconds: float) -> list[float]:
    """So many callers, each of which waits for its answer; the time of each request."""
    took_s: list[float] = []
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        await ready(session)
        await call(session, target)
        end = time.perf_counter() + seconds
        await asyncio.gather(*(repeat(session, target, end, took_s) for _ in range(concurrency)))
    return took_s


async def repeat(
    session: aiohttp.ClientSession, target: Target, end: float, took_s: list[float]
) -> None:
    while (started := time.perf_counter()) < end:
        status = await call(session, target)
        assert status == 200, status
        took_s.append(time.perf_counter() - started)


async def overload(url: str, target: Target, per_s: float, seconds: float) -> Overload:
    """Requests at random moments, `per_s` on average."""
    result = Overload(per_s, seconds)
    tasks: list[asyncio.Task[None]] = []
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        await ready(session)
        at = time.perf_counter()
        end = at + seconds
        while at < end:
            at += random.expovariate(per_s)
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            tasks.append(asyncio.create_task(one(session, target, result)))
        await asyncio.gather(*tasks)
    return result


async def one(session: aiohttp.ClientSession, target: Target, result: Overload) -> None:
    started = time.perf_counter()
    status = await call(session, target)
    took_s = time.perf_counter() - started
    assert status in (200, 429), status
    (result.accepted_s if status == 200 else result.refused_s).append(took_s)


async def call(session: aiohttp.ClientSession, target: Target) -> int:
    path, body = target
    async with session.post(path, json=body) as response:
        text = await response.read()
        assert response.status != 200 or OUTPUT in text, text
        return response.status


async def ready(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                async with session.get("/livez") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
