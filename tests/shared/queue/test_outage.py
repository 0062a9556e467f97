"""What a queue goes through when Redis is killed, emptied or meddled with."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from plaudit.errors import Unavailable
from plaudit.queue import Job, Lease, QueueOptions, Worker, WorkQueue
from plaudit.testing.redis import RedisServer, redis_process

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_process(appendonly=True) as process:
        yield process


async def handle(lease: Lease) -> bytes:
    await asyncio.sleep(0.005)
    return lease.job_id.encode()


async def test_jobs_waits_and_workers_survive_redis_being_killed_twice(
    server: RedisServer,
) -> None:
    redis = Redis.from_url(server.url)
    options = QueueOptions(lease_s=1.0, max_deliveries=20)
    client, busy = WorkQueue(redis, "q", options), WorkQueue(redis, "q", options)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(busy, handle, "w", concurrency=4).run(stop))

    async def one(i: int) -> tuple[str, bytes | None]:
        await asyncio.sleep(i * 0.006)
        await client.submit(Job(str(i), b"x" * 1000))
        record = await client.wait(str(i), 30)
        assert record is not None
        return record.status, record.result

    jobs = [asyncio.create_task(one(i)) for i in range(300)]
    for _ in range(2):
        await asyncio.sleep(0.6)
        server.kill()
        await asyncio.sleep(0.4)
        server.start()
    outcomes = await asyncio.gather(*jobs)
    stop.set()
    await working
    assert outcomes == [("done", str(i).encode()) for i in range(300)]
    stats = await client.stats()
    assert (stats.done, stats.queued, stats.running) == (300, 0, 0)
    for queue in (client, busy):
        await queue.aclose()
    await redis.aclose()


async def test_a_redis_that_stays_away_is_named_within_the_bound(server: RedisServer) -> None:
    redis = Redis.from_url(server.url)
    queue = WorkQueue(redis, "q", QueueOptions(reconnect_s=0.5))
    server.kill()
    async with asyncio.timeout(10):
        for call in (queue.submit(Job("b", b"")), queue.lease("w"), queue.wait("a", 0.5)):
            with pytest.raises(Unavailable, match=r"Redis did not answer for 0.5 s .* queue q"):
                await call
    await queue.aclose()
    await redis.aclose()


async def test_a_redis_that_hangs_is_named_within_the_bound(server: RedisServer) -> None:
    redis = Redis.from_url(server.url)
    queue = WorkQueue(redis, "q", QueueOptions(reconnect_s=0.3))
    await redis.client_pause(2000)
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="TimeoutError"):
            await queue.submit(Job("b", b""))
    await queue.aclose()
    await redis.aclose()


async def meddle_group(redis: Redis) -> None:
    await redis.xgroup_destroy("plaudit:q:q:train", "workers")


async def meddle_scripts(redis: Redis) -> None:
    await redis.script_flush()


async def meddle_connections(redis: Redis) -> None:
    await redis.client_kill_filter(_type="normal", skipme=True)


async def meddle_records(redis: Redis) -> None:
    await redis.delete(*await redis.keys("plaudit:q:q:job:*"))


@pytest.mark.parametrize(
    "meddle", [meddle_group, meddle_scripts, meddle_connections, meddle_records]
)
async def test_no_job_is_lost_to_meddling(
    redis: Redis, make_queue: MakeQueue, meddle: Callable[[Redis], object]
) -> None:
    queue = make_queue(lease_s=0.5, max_deliveries=20)
    ids = [str(i) for i in range(100)]
    await queue.submit_many([Job(job_id, b"") for job_id in ids])
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(queue, handle, "w", concurrency=2).run(stop))
    for _ in range(5):
        await asyncio.sleep(0.02)
        with suppress(Exception):  # why: it may cut its own connection
            await meddle(redis)  # type: ignore[misc]
    async with asyncio.timeout(20):
        while (await queue.stats()).done < 100:
            await asyncio.sleep(0.05)
    stop.set()
    await working
    stats = await queue.stats()
    assert (stats.done, stats.queued, stats.running) == (100, 0, 0)


async def test_leases_outlive_the_consumer_group(redis: Redis, queue: WorkQueue) -> None:
    await queue.submit_many([Job(name, b"") for name in ("held", "done", "returned")])
    held, done, returned = await queue.lease("w", 3)
    await queue.complete(done, b"")
    await queue.release(returned)
    await queue.submit(Job("new", b""))
    await redis.xgroup_destroy("plaudit:q:q:train", "workers")
    assert [lease.job_id for lease in await queue.lease("w", 9)] == ["returned", "new"]
    assert await queue.renew([held]) == []
    assert await queue.complete(held, b"")


async def test_an_emptied_redis_is_a_new_queue(redis: Redis, queue: WorkQueue) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(queue, handle, "w").run(stop))
    await queue.submit(Job("a", b""))
    assert (await queue.wait("a", 10)).status == "done"
    await redis.flushall()
    assert await queue.wait("a", 10) is None
    assert (await queue.submit(Job("a", b""))).created
    assert (await queue.wait("a", 10)).status == "done"
    stop.set()
    await working
