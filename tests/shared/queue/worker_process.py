"""A worker that test_processes kills: python worker_process.py REDIS_URL WORKER_ID."""

import asyncio
import os
import random
import sys

from redis.asyncio import Redis

from plaudit.queue import Lease, QueueOptions, Worker, WorkQueue


async def handle(lease: Lease) -> bytes:
    await asyncio.sleep(random.uniform(0, 0.1))
    return f"{lease.job_id} {os.getpid()}".encode()


async def main(redis_url: str, worker_id: str) -> None:
    options = QueueOptions(lease_s=0.6, max_deliveries=20)
    queue = WorkQueue(Redis.from_url(redis_url), "q", options)
    await Worker(queue, handle, worker_id, concurrency=4).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
