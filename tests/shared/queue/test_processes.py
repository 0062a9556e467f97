import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from plaudit.queue import Job, WorkQueue

MakeQueue = Callable[..., WorkQueue]
NUM_KILLS = 5


def start_worker(redis_url: str, worker_id: str) -> subprocess.Popen[bytes]:
    program = Path(__file__).with_name("worker_process.py")
    return subprocess.Popen([sys.executable, str(program), redis_url, worker_id])


async def kill_and_replace(
    redis: Redis, redis_url: str, workers: dict[str, subprocess.Popen[bytes]]
) -> None:
    """SIGKILL for a worker that holds jobs at that moment, then a new one in its place."""
    for num_kill in range(NUM_KILLS):
        victim = random.choice(list(workers))
        async with asyncio.timeout(30):
            while not await holds_jobs(redis, victim):
                await asyncio.sleep(0.01)
        process = workers.pop(victim)
        process.kill()
        process.wait()
        workers[f"w{num_kill + 2}"] = start_worker(redis_url, f"w{num_kill + 2}")


async def holds_jobs(redis: Redis, worker_id: str) -> bool:
    with suppress(ResponseError):  # no group before the first lease
        for consumer in await redis.xinfo_consumers("plaudit:q:q:train", "workers"):
            if consumer["name"] == worker_id.encode():
                return bool(consumer["pending"] > 0)
    return False


async def top_up(queue: WorkQueue, ids: list[str]) -> None:
    """There is always work for a worker to be killed over."""
    if (await queue.stats()).queued < 20:
        more = [f"j{len(ids) + i}" for i in range(20)]
        await queue.submit_many([Job(job_id, b"x" * 1000) for job_id in more])
        ids += more


async def test_workers_killed_by_the_system_lose_no_job_and_repeat_no_effect(
    redis: Redis, redis_url: str, make_queue: MakeQueue
) -> None:
    queue = make_queue(lease_s=0.6, max_deliveries=20)
    ids: list[str] = []
    workers = {name: start_worker(redis_url, name) for name in ("w0", "w1")}
    killing = asyncio.create_task(kill_and_replace(redis, redis_url, workers))
    try:
        while not killing.done():
            await top_up(queue, ids)
            await asyncio.sleep(0.02)
        await killing
        records = await asyncio.gather(*(queue.wait(job_id, 50) for job_id in ids))
    finally:
        killing.cancel()
        for worker in workers.values():
            worker.kill()
            worker.wait()
    for job_id, record in zip(ids, records, strict=True):
        assert record is not None and record.status == "done"
        assert record.result is not None and record.result.split()[0] == job_id.encode()
    stats = await queue.stats()
    assert (stats.done, stats.queued, stats.running) == (len(ids), 0, 0)
    assert stats.lanes["train"].lapsed >= NUM_KILLS
