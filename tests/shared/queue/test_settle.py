import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from plaudit.errors import BodyTooLarge
from plaudit.queue import Job, Lease, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def lease_one(queue: WorkQueue, job_id: str = "a") -> Lease:
    await queue.submit(Job(job_id, b"payload"))
    [lease] = await queue.lease("w")
    return lease


async def test_a_completed_job_keeps_its_result_and_leaves_the_stream(
    redis: Redis, queue: WorkQueue
) -> None:
    lease = await lease_one(queue)
    assert await queue.complete(lease, b"result")
    record = await queue.record("a")
    assert record is not None
    assert (record.status, record.result, record.error) == ("done", b"result", None)
    assert await redis.xlen("plaudit:q:q:train") == 0
    assert (await redis.xpending("plaudit:q:q:train", "workers"))["pending"] == 0


async def test_only_a_finished_record_expires(redis: Redis, make_queue: MakeQueue) -> None:
    queue = make_queue(result_ttl_s=0.3)
    lease = await lease_one(queue)
    assert await redis.pttl("plaudit:q:q:job:a") == -1
    await queue.fail(lease, "again", retryable=True, delay_s=0)
    assert await redis.pttl("plaudit:q:q:job:a") == -1
    [lease] = await queue.lease("w")
    await queue.complete(lease, b"")
    assert 0 < await redis.pttl("plaudit:q:q:job:a") <= 300
    await asyncio.sleep(0.4)
    assert await queue.record("a") is None


async def test_the_first_result_wins_and_the_late_one_is_told(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=0.05)
    first = await lease_one(queue)
    await asyncio.sleep(0.1)
    [second] = await queue.lease("w2")
    assert await queue.complete(second, b"second")
    assert not await queue.complete(first, b"first")
    assert (await queue.record("a")).result == b"second"
    assert (await queue.stats()).late == 1


async def test_a_lapsed_holder_may_still_be_first(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=0.05)
    first = await lease_one(queue)
    await asyncio.sleep(0.1)
    [second] = await queue.lease("w2")
    assert await queue.complete(first, b"first")
    assert [lost.status for lost in await queue.renew([second])] == ["done"]
    assert not await queue.complete(second, b"second")
    assert (await queue.stats()).done == 1


async def test_completing_twice_with_one_lease_is_one_result(queue: WorkQueue) -> None:
    lease = await lease_one(queue)
    assert await queue.complete(lease, b"x")
    assert await queue.complete(lease, b"x")  # as when the first answer was lost
    assert (await queue.stats()).done == 1


async def test_a_lost_lease_cannot_fail_or_release_the_job_of_another(
    make_queue: MakeQueue,
) -> None:
    queue = make_queue(lease_s=0.05)
    old = await lease_one(queue)
    await asyncio.sleep(0.1)
    queue = make_queue(lease_s=30)
    [new] = await queue.lease("w2")
    assert await queue.fail(old, "late", retryable=False) == "running"
    await queue.release(old)
    assert await queue.lease("w3", wait_s=0) == []
    assert await queue.complete(new, b"")


async def test_a_failed_attempt_is_tried_again_until_the_job_is_dead(
    make_queue: MakeQueue,
) -> None:
    queue = make_queue(max_deliveries=3, retry_delay_s=0)
    await queue.submit(Job("a", b""))
    statuses = []
    for attempt in (1, 2, 3):
        [lease] = await queue.lease("w")
        assert lease.deliveries == attempt
        statuses.append(await queue.fail(lease, f"error {attempt}", retryable=True))
    assert statuses == ["queued", "queued", "dead"]
    record = await queue.record("a")
    assert record is not None
    assert (record.status, record.error, record.deliveries) == ("dead", "error 3", 3)


async def test_a_hopeless_job_fails_at_once(queue: WorkQueue) -> None:
    lease = await lease_one(queue)
    assert await queue.fail(lease, "no such model", retryable=False) == "failed"
    assert (await queue.record("a")).error == "no such model"
    assert await queue.lease("w", wait_s=0) == []
    assert await queue.list_dead() == []


@pytest.mark.usefixtures("no_polling")
async def test_a_retry_waits_for_its_delay_even_for_a_sleeping_worker(queue: WorkQueue) -> None:
    lease = await lease_one(queue)
    sleeping = asyncio.create_task(queue.lease("w2", wait_s=20))
    await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await queue.fail(lease, "busy", retryable=True, delay_s=0.3)
    assert [again.deliveries for again in await sleeping] == [2]
    assert 0.25 <= loop.time() - started < 8


async def test_a_worker_that_dies_each_time_makes_the_job_dead(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=0.05, max_deliveries=2)
    await lease_one(queue)
    assert len(await queue.lease("w2", wait_s=2)) == 1
    assert await queue.lease("w3", wait_s=0.3) == []
    [dead] = await queue.list_dead()
    assert (dead.job_id, dead.payload) == ("a", b"payload")
    assert "the lease of worker w2 lapsed" in dead.error


async def test_hostile_and_endless_errors_are_kept_within_bounds(queue: WorkQueue) -> None:
    lease = await lease_one(queue)
    await queue.fail(lease, "\ud800\x1b[31m" + "x" * 1_000_000 + "the end", retryable=False)
    error = (await queue.record("a")).error or ""
    assert error.endswith("the end")
    assert len(error) < 5000


async def test_a_result_over_the_limit_is_refused(make_queue: MakeQueue) -> None:
    queue = make_queue(max_result_bytes=5)
    lease = await lease_one(queue)
    with pytest.raises(BodyTooLarge, match="max_result_bytes"):
        await queue.complete(lease, b"123456")


async def test_forget_drops_finished_jobs_only(queue: WorkQueue) -> None:
    lease = await lease_one(queue)
    await queue.submit(Job("b", b""))
    await queue.forget(["a", "b", "unknown"])
    assert (await queue.record("a")).status == "running"
    await queue.complete(lease, b"")
    await queue.forget(["a", "b"])
    assert await queue.record("a") is None
    assert (await queue.record("b")).status == "queued"
    assert (await queue.submit(Job("a", b""))).created


async def test_records_of_long_results_all_arrive(queue: WorkQueue) -> None:
    await queue.submit_many([Job(str(i), b"") for i in range(12)])
    for lease in await queue.lease("w", 12):
        await queue.complete(lease, lease.job_id.encode() * 2_000_000)
    records = await asyncio.gather(*(queue.record(str(i)) for i in range(12)))
    results = [record.result for record in records if record and record.result]
    assert [len(result) for result in results] == [2_000_000] * 10 + [4_000_000] * 2


async def test_a_redis_out_of_memory_still_finishes_its_jobs(
    redis: Redis, queue: WorkQueue
) -> None:
    lease = await lease_one(queue)
    await redis.config_set("maxmemory", 1)
    try:
        assert await queue.complete(lease, b"small")
    finally:
        await redis.config_set("maxmemory", 0)
