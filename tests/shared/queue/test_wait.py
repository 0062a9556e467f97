import asyncio
from collections.abc import Callable
from time import monotonic

import pytest
from redis.asyncio import Redis

from plaudit.errors import Unavailable
from plaudit.queue import Job, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def finish_all(queue: WorkQueue) -> None:
    leases = await queue.lease("w", 1000, 0)
    await asyncio.gather(*(queue.complete(lease, lease.job_id.encode()) for lease in leases))


@pytest.mark.usefixtures("no_polling")
async def test_a_wait_ends_soon_after_the_job(make_queue: MakeQueue) -> None:
    queue, worker = make_queue(), make_queue()
    await queue.submit(Job("a", b""))
    waiting = asyncio.create_task(queue.wait("a", 20))
    await asyncio.sleep(0.2)
    started = monotonic()
    await finish_all(worker)
    assert (await waiting).result == b"a"
    assert monotonic() - started < 15


@pytest.mark.usefixtures("no_polling")
async def test_waiting_for_a_finished_job_is_no_wait(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    await finish_all(queue)
    started = monotonic()
    assert (await queue.wait("a", 20)).status == "done"
    assert (await queue.wait("a", 0)).status == "done"
    assert monotonic() - started < 15


async def test_a_wait_that_runs_out_gives_the_record_as_it_is(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    started = monotonic()
    assert (await queue.wait("a", 0.2)).status == "queued"
    assert 0.2 <= monotonic() - started < 15
    assert await queue.wait("unknown", 20) is None
    assert monotonic() - started < 15


async def test_two_thousand_waits_share_one_subscription(
    redis: Redis, make_queue: MakeQueue
) -> None:
    queue, worker = make_queue(), make_queue()
    ids = [str(i) for i in range(2000)]
    await queue.submit_many([Job(job_id, b"") for job_id in ids])
    waits = [asyncio.create_task(queue.wait(job_id, 20)) for job_id in [*ids, *ids]]
    await asyncio.sleep(0.2)
    assert await redis.pubsub_numsub("plaudit:q:q:finished") == [(b"plaudit:q:q:finished", 1)]
    num_clients = len(await redis.client_list())
    assert num_clients < 12
    await finish_all(worker)
    await finish_all(worker)
    records = await asyncio.gather(*waits)
    assert [record.result for record in records if record] == [i.encode() for i in [*ids, *ids]]


@pytest.mark.usefixtures("no_polling")
async def test_a_notice_that_fell_into_a_reconnect_is_made_up_for(
    redis: Redis, make_queue: MakeQueue
) -> None:
    queue, worker = make_queue(), make_queue()
    await queue.submit(Job("a", b""))
    waiting = asyncio.create_task(queue.wait("a", 60))
    await asyncio.sleep(0.3)
    await redis.client_kill_filter(_type="pubsub")
    await finish_all(worker)
    async with asyncio.timeout(10):
        assert (await waiting).status == "done"


async def test_a_notice_that_never_came_is_made_up_for(redis: Redis, queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    waiting = asyncio.create_task(queue.wait("a", 60))
    await asyncio.sleep(0.3)
    await redis.hset("plaudit:q:q:job:a", "status", "done")
    async with asyncio.timeout(10):
        assert (await waiting).status == "done"


async def test_a_wait_that_is_given_up_leaves_nothing_behind(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    given_up = asyncio.create_task(queue.wait("a", 20))
    kept = asyncio.create_task(queue.wait("a", 20))
    await asyncio.sleep(0.1)
    given_up.cancel()
    await finish_all(queue)
    assert (await kept).status == "done"
    assert queue._waiters._waiting == {}


async def test_closing_the_queue_ends_its_waits(make_queue: MakeQueue) -> None:
    queue = make_queue()
    await queue.submit(Job("a", b""))
    waiting = asyncio.create_task(queue.wait("a", 20))
    await asyncio.sleep(0.1)
    await queue.aclose()
    with pytest.raises(Unavailable, match="closed"):
        await waiting
