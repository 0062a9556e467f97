"""What a job costs, beside the bare Redis Streams commands on the same Redis.

    python benchmarks/work_queue.py [--jobs 4000] [--payload-bytes 50000] [--concurrency 64]

`queue` is submit + lease + complete + wait of each job through WorkQueue and Worker; `bare` is
XADD + XREADGROUP + XACK + XDEL of the same payload in pipelines of the same depth, with no
record, result, lease, retry or wait. CPU is that of this process plus that of Redis.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import uvloop
from redis.asyncio import Redis

from plaudit.queue import Job, Lease, QueueOptions, Worker, WorkQueue
from plaudit.testing.redis import redis_server

RESULT = b"x" * 2000


@dataclass(frozen=True)
class Figures:
    name: str
    jobs_per_s: float
    client_cpu_ms: float
    redis_cpu_ms: float

    @property
    def cpu_ms(self) -> float:
        return self.client_cpu_ms + self.redis_cpu_ms


async def measure(
    name: str, redis: Redis, num_jobs: int, work: Callable[[], Awaitable[None]]
) -> Figures:
    redis_before, before, started = await redis_cpu_s(redis), time.process_time(), time.monotonic()
    await work()
    wall_s, client_s = time.monotonic() - started, time.process_time() - before
    redis_s = await redis_cpu_s(redis) - redis_before
    return Figures(name, num_jobs / wall_s, client_s / num_jobs * 1000, redis_s / num_jobs * 1000)


async def redis_cpu_s(redis: Redis) -> float:
    info = await redis.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


@asynccontextmanager
async def working(queue: WorkQueue, concurrency: int) -> AsyncIterator[None]:
    async def handler(lease: Lease) -> bytes:
        return RESULT

    stop = asyncio.Event()
    worker = asyncio.create_task(Worker(queue, handler, "w", concurrency=concurrency).run(stop))
    yield
    stop.set()
    await worker


async def through_the_queue(
    redis: Redis, num_jobs: int, payload: bytes, concurrency: int
) -> Figures:
    options = QueueOptions(max_jobs=concurrency)
    client, busy = WorkQueue(redis, "bench", options), WorkQueue(redis, "bench", options)
    numbers = iter(range(num_jobs))

    async def submit_and_wait() -> None:
        for number in numbers:
            job_id = f"bench/{number}"
            await client.submit(Job(job_id, payload))
            record = await client.wait(job_id, 60)
            assert record is not None and record.result == RESULT
            await client.forget([job_id]) if number % 1000 == 999 else None

    async def work() -> None:
        await asyncio.gather(*(submit_and_wait() for _ in range(concurrency)))

    async with working(busy, concurrency):
        figures = await measure(f"queue, {concurrency} at once", redis, num_jobs, work)
    for queue in (client, busy):
        await queue.aclose()
    return figures


async def bare_streams(redis: Redis, num_jobs: int, payload: bytes, depth: int) -> Figures:
    await redis.xgroup_create("bare", "g", "0", mkstream=True)

    async def work() -> None:
        for start in range(0, num_jobs, depth):
            size = min(depth, num_jobs - start)
            pipe = redis.pipeline(transaction=False)
            for _ in range(size):
                pipe.xadd("bare", {"p": payload})
            await pipe.execute()
            taken: Any = await redis.xreadgroup("g", "c", {"bare": ">"}, count=size)
            # RESP3 answers with a dictionary, RESP2 with a list
            entries = taken[b"bare"][0] if isinstance(taken, dict) else taken[0][1]
            ids = [entry[0] for entry in entries]
            pipe = redis.pipeline(transaction=False)
            pipe.xack("bare", "g", *ids)
            pipe.xdel("bare", *ids)
            await pipe.execute()

    return await measure(f"bare, {depth} at once", redis, num_jobs, work)


async def main(num_jobs: int, num_payload_bytes: int, concurrency: int, as_json: bool) -> None:
    payload = os.urandom(num_payload_bytes)
    found = []
    with redis_server() as url:
        async with Redis.from_url(url) as redis:
            for depth, count in ((1, num_jobs // 10), (concurrency, num_jobs)):
                await redis.flushall()
                found.append(await bare_streams(redis, count, payload, depth))
                await redis.flushall()
                found.append(await through_the_queue(redis, count, payload, depth))
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
        return
    print(f"payload {num_payload_bytes} bytes, result {len(RESULT)} bytes, {os.cpu_count()} cores")
    print(f"{'':22}{'jobs/s':>9}{'CPU ms/job':>12}{'client':>9}{'redis':>9}{'x bare':>9}")
    for bare, queue in zip(found[::2], found[1::2], strict=True):
        for one in (bare, queue):
            print(
                f"{one.name:22}{one.jobs_per_s:9.0f}{one.cpu_ms:12.3f}{one.client_cpu_ms:9.3f}"
                f"{one.redis_cpu_ms:9.3f}{one.cpu_ms / bare.cpu_ms:9.1f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--payload-bytes", type=int, default=50_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    uvloop.run(main(options.jobs, options.payload_bytes, options.concurrency, options.json))
