"""A physical limit: a group's bytes once through JSON, HTTP and Redis, with nothing around them."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from subprocess import Popen
from typing import Any

import aiohttp
import uvicorn
from pipeline_services import cpu_s_of_tree
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from plaudit.testing import free_port
from plaudit.testing.redis import redis_process

CONCURRENCY = 32
NUM_GROUPS = 1500
WARM_UP = 100


@dataclass(frozen=True)
class Limit:
    groups_per_s: float
    cpu_ms: float
    num_bytes: int


def measure(group: bytes) -> Limit:
    """Encode, one POST to an echo, SET, GET, DEL, decode; CPU of all three processes."""
    port = free_port()
    with redis_process() as server, Popen([sys.executable, __file__, str(port)]) as echo:
        try:
            return asyncio.run(_measure(group, f"http://127.0.0.1:{port}/", echo.pid, server.url))
        finally:
            echo.terminate()


async def _measure(group: bytes, url: str, echo_pid: int, redis_url: str) -> Limit:
    async with Redis.from_url(redis_url) as redis, aiohttp.ClientSession() as session:
        await _until_up(session, url)
        await _drive(session, url, redis, group, WARM_UP)
        before_s, started_s = await _cpu_s(echo_pid, redis), time.monotonic()
        await _drive(session, url, redis, group, NUM_GROUPS)
        wall_s = time.monotonic() - started_s
        used_s = await _cpu_s(echo_pid, redis) - before_s
    return Limit(NUM_GROUPS / wall_s, 1000 * used_s / NUM_GROUPS, len(group))


async def _drive(
    session: aiohttp.ClientSession, url: str, redis: Redis, group: bytes, num_groups: int
) -> None:
    value = json.loads(group)
    numbers = iter(range(num_groups))

    async def one_by_one() -> None:
        for number in numbers:
            body = json.dumps(value, separators=(",", ":")).encode()
            async with session.post(url, data=body) as answer:
                returned = await answer.read()
            await redis.set(f"{number}", returned)
            stored: Any = await redis.get(f"{number}")
            json.loads(stored)
            await redis.delete(f"{number}")

    await asyncio.gather(*(one_by_one() for _ in range(CONCURRENCY)))


async def _cpu_s(echo_pid: int, redis: Redis) -> float:
    info = await redis.info("cpu")
    used_s = float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
    return time.process_time() + cpu_s_of_tree(echo_pid) + used_s


async def _until_up(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(30.0):
        while True:
            try:
                async with session.post(url, data=b""):
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


async def echo_app(scope: Scope, receive: Receive, send: Send) -> None:
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"".join(chunks)})


if __name__ == "__main__":
    uvicorn.run(
        echo_app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning"
    )
