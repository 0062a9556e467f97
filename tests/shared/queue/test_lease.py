import asyncio
import random
from collections.abc import Callable
from time import monotonic

import pytest
from redis.asyncio import Redis

from plaudit.queue import Job, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def test_a_job_is_leased_to_one_worker_only(make_queue: MakeQueue) -> None:
    queues = [make_queue() for _ in range(4)]
    await queues[0].submit_many([Job(str(i), b"") for i in range(100)])
    taken = await asyncio.gather(*(q.lease(f"w{i}", 40) for i, q in enumerate(queues)))
    ids = [lease.job_id for leases in taken for lease in leases]
    assert sorted(ids) == sorted(str(i) for i in range(100))


async def test_jobs_come_in_the_order_of_submission(queue: WorkQueue) -> None:
    await queue.submit_many([Job(str(i), b"") for i in range(50)])
    assert [lease.job_id for lease in await queue.lease("w", 50)] == [str(i) for i in range(50)]


@pytest.mark.usefixtures("no_polling")
async def test_an_empty_queue_waits_for_work_and_no_longer_than_told(queue: WorkQueue) -> None:
    started = monotonic()
    assert await queue.lease("w", wait_s=0.2) == []
    assert 0.2 <= monotonic() - started < 15
    waiting = asyncio.create_task(queue.lease("w", wait_s=20))
    await asyncio.sleep(0.05)
    started = monotonic()
    await queue.submit(Job("a", b""))
    assert [lease.job_id for lease in await waiting] == ["a"]
    assert monotonic() - started < 15


@pytest.mark.usefixtures("no_polling")
async def test_every_sleeping_worker_wakes_when_there_is_work_for_it(
    make_queue: MakeQueue,
) -> None:
    sleeping = [asyncio.create_task(make_queue().lease(f"w{i}", wait_s=20)) for i in range(8)]
    await asyncio.sleep(0.1)
    started = monotonic()
    await make_queue().submit_many([Job(str(i), b"") for i in range(8)])
    taken = await asyncio.gather(*sleeping)
    assert monotonic() - started < 15
    assert sorted(lease.job_id for leases in taken for lease in leases) == list("01234567")


@pytest.mark.usefixtures("no_polling")
async def test_a_lapsed_lease_is_delivered_again_and_counted(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=0.2)
    await queue.submit(Job("a", b"x"))
    [first] = await queue.lease("dead")
    started = monotonic()
    [second] = await make_queue(lease_s=0.2).lease("w", wait_s=20)
    assert 0.15 <= monotonic() - started < 15
    assert (second.payload, second.deliveries) == (b"x", 2)
    assert second.token != first.token
    stats = await queue.stats()
    assert (stats.redelivered, stats.lanes["train"].lapsed) == (1, 1)


async def test_a_renewed_lease_does_not_lapse(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=1.0)
    await queue.submit(Job("a", b""))
    leases = await queue.lease("w")
    for _ in range(4):
        await asyncio.sleep(0.35)
        assert await queue.renew(leases) == []
        assert await queue.lease("other", wait_s=0) == []


async def test_renew_tells_which_leases_are_lost_and_why(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=0.5)
    await queue.submit_many([Job(name, b"") for name in ("gone", "cancelled", "taken", "mine")])
    leases = await queue.lease("w", 4)
    await queue.cancel("gone")
    await queue.forget(["gone"])
    await queue.cancel("cancelled")
    await asyncio.sleep(0.6)
    await queue.renew([lease for lease in leases if lease.job_id == "mine"])
    assert [lease.job_id for lease in await queue.lease("other", 4, 0)] == ["taken"]
    lost = {one.lease.job_id: one.status for one in await queue.renew(leases)}
    assert lost == {"gone": None, "cancelled": "cancelled", "taken": "running"}


async def test_a_released_job_comes_back_at_once_first_and_uncounted(queue: WorkQueue) -> None:
    await queue.submit_many([Job("a", b""), Job("b", b"")])
    [lease] = await queue.lease("w")
    await queue.release(lease)
    assert (await queue.record("a")).status == "queued"
    [again] = await queue.lease("w2")
    assert (again.job_id, again.deliveries) == ("a", 1)
    stats = await queue.stats()
    assert (stats.redelivered, stats.lanes["train"].released) == (0, 1)


async def test_a_cancelled_lease_call_keeps_no_job(make_queue: MakeQueue) -> None:
    queue, other = make_queue(), make_queue()
    for i in range(40):
        leasing = asyncio.create_task(queue.lease("w", wait_s=5))
        await asyncio.sleep(0.002)
        await other.submit(Job(str(i), b""))
        await asyncio.sleep(random.uniform(0, 0.003))
        leasing.cancel()
        [outcome] = await asyncio.gather(leasing, return_exceptions=True)
        if isinstance(outcome, BaseException):
            [lease] = await other.lease("other", wait_s=2)
        else:
            [lease] = outcome
        assert (lease.job_id, lease.deliveries) == (str(i), 1)
        await other.complete(lease, b"")


async def test_workers_that_are_gone_are_forgotten(redis: Redis, make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=0.02)
    await queue.submit_many([Job("a", b""), Job("b", b"")])
    [idle] = await queue.lease("idle")
    await queue.complete(idle, b"")
    await make_queue(lease_s=60).lease("holds")
    await asyncio.sleep(0.25)
    await queue.sweep_workers()
    consumers = await redis.xinfo_consumers("plaudit:q:q:train", "workers")
    assert [consumer["name"] for consumer in consumers] == [b"holds"]
