import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from redis.asyncio import Redis

from plaudit.queue import FailJob, Job, Lease, RetryJob, Worker, WorkQueue
from plaudit.telemetry import current_traceparent

MakeQueue = Callable[..., WorkQueue]
Handler = Callable[[Lease], Awaitable[bytes]]


@asynccontextmanager
async def at_work(
    queue: WorkQueue, handler: Handler, **settings: float
) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    worker = Worker(queue, handler, "w", **settings)  # type: ignore[arg-type]
    running = asyncio.create_task(worker.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await running


async def outcome(queue: WorkQueue, job_id: str = "a") -> tuple[str, str | bytes | None, int]:
    record = await queue.wait(job_id, 10)
    assert record is not None
    return record.status, record.result or record.error, record.deliveries


async def until_running(queue: WorkQueue, num_jobs: int) -> None:
    async with asyncio.timeout(10):
        while (await queue.stats()).running < num_jobs:
            await asyncio.sleep(0.01)


async def test_a_result_is_recorded(queue: WorkQueue) -> None:
    async def handler(lease: Lease) -> bytes:
        return lease.payload.upper()

    async with at_work(queue, handler):
        await queue.submit(Job("a", b"x"))
        assert await outcome(queue) == ("done", b"X", 1)


async def test_retry_job_is_tried_again_and_may_succeed(make_queue: MakeQueue) -> None:
    queue = make_queue(retry_delay_s=0)

    async def handler(lease: Lease) -> bytes:
        if lease.deliveries < 3:
            raise RetryJob("busy", delay_s=0.01)
        return b"at last"

    async with at_work(queue, handler):
        await queue.submit(Job("a", b""))
        assert await outcome(queue) == ("done", b"at last", 3)


async def test_fail_job_is_not_tried_again(queue: WorkQueue) -> None:
    async def handler(lease: Lease) -> bytes:
        raise FailJob("no such reward")

    async with at_work(queue, handler):
        await queue.submit(Job("a", b""))
        assert await outcome(queue) == ("failed", "no such reward", 1)


async def test_any_other_exception_ends_dead_with_its_traceback(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=2, retry_delay_s=0)

    async def handler(lease: Lease) -> bytes:
        raise ZeroDivisionError("deep inside")

    async with at_work(queue, handler):
        await queue.submit(Job("a", b""))
        status, error, deliveries = await outcome(queue)
    assert (status, deliveries) == ("dead", 2)
    assert isinstance(error, str)
    assert "Traceback" in error and error.strip().endswith("ZeroDivisionError: deep inside")


@pytest.mark.parametrize("returned", [None, "text", b"x" * 11])
async def test_a_result_that_cannot_be_kept_fails_the_job(
    make_queue: MakeQueue, returned: bytes
) -> None:
    queue = make_queue(max_result_bytes=10)

    async def handler(lease: Lease) -> bytes:
        return returned

    async with at_work(queue, handler):
        await queue.submit(Job("a", b""))
        assert (await outcome(queue))[0] == "failed"


async def test_a_handler_that_cancels_itself_is_a_failed_attempt(make_queue: MakeQueue) -> None:
    queue = make_queue(max_deliveries=1)

    async def handler(lease: Lease) -> bytes:
        raise asyncio.CancelledError

    async with at_work(queue, handler):
        await queue.submit(Job("a", b""))
        assert await outcome(queue) == ("dead", "the handler cancelled itself", 1)


async def test_no_more_than_concurrency_jobs_run_at_once(queue: WorkQueue) -> None:
    now, most = 0, 0

    async def handler(lease: Lease) -> bytes:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return b""

    await queue.submit_many([Job(str(i), b"") for i in range(30)])
    async with at_work(queue, handler, concurrency=5):
        await asyncio.gather(*(outcome(queue, str(i)) for i in range(30)))
    assert most == 5


async def test_a_job_that_outlasts_its_lease_many_times_runs_once(make_queue: MakeQueue) -> None:
    runs = 0

    async def handler(lease: Lease) -> bytes:
        nonlocal runs
        runs += 1
        await asyncio.sleep(2.5)
        return b"r"

    queue, rival = make_queue(lease_s=1.0), make_queue(lease_s=1.0)
    async with at_work(queue, handler), at_work(rival, handler):
        await queue.submit(Job("a", b""))
        assert await outcome(queue) == ("done", b"r", 1)
    assert runs == 1


async def test_a_handler_whose_lease_was_lost_is_cancelled(
    redis: Redis, make_queue: MakeQueue
) -> None:
    queue = make_queue(lease_s=1.0)
    cancelled = asyncio.Event()

    async def handler(lease: Lease) -> bytes:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async with at_work(queue, handler, concurrency=1):
        await queue.submit(Job("a", b""))
        other = make_queue(lease_s=60)
        while await redis.zcard("plaudit:q:q:train:leases") == 0:
            await asyncio.sleep(0.01)
        held: Any = await redis.zrange("plaudit:q:q:train:leases", 0, -1)
        # as if the worker had been cut off
        await redis.zadd("plaudit:q:q:train:leases", dict.fromkeys(held, 1))
        [stolen] = await other.lease("other")
        async with asyncio.timeout(8):
            await cancelled.wait()
        assert await other.complete(stolen, b"r")
    assert (await queue.record("a")).deliveries == 2


async def test_a_stopped_worker_finishes_what_it_holds_and_takes_no_more(
    queue: WorkQueue,
) -> None:
    async def handler(lease: Lease) -> bytes:
        await asyncio.sleep(0.3)
        return b""

    await queue.submit_many([Job(str(i), b"") for i in range(10)])
    async with at_work(queue, handler, concurrency=4) as stop:
        await until_running(queue, 4)
        stop.set()
    stats = await queue.stats()
    assert (stats.done, stats.queued, stats.running) == (4, 6, 0)


async def test_what_does_not_finish_in_time_is_handed_back_uncounted(queue: WorkQueue) -> None:
    async def handler(lease: Lease) -> bytes:
        await asyncio.sleep(30)
        return b""

    await queue.submit_many([Job(str(i), b"") for i in range(3)])
    async with at_work(queue, handler, concurrency=2, drain_timeout_s=0.1) as stop:
        await until_running(queue, 2)
        started = monotonic()
        stop.set()
    assert monotonic() - started < 15
    assert sorted(lease.deliveries for lease in await queue.lease("other", 9)) == [1, 1, 1]


async def test_a_worker_cancelled_outright_hands_back_its_jobs(queue: WorkQueue) -> None:
    async def handler(lease: Lease) -> bytes:
        await asyncio.sleep(30)
        return b""

    await queue.submit(Job("a", b""))
    running = asyncio.create_task(Worker(queue, handler, "w").run(asyncio.Event()))
    await until_running(queue, 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [lease.deliveries for lease in await queue.lease("other")] == [1]


async def test_a_worker_cancelled_at_any_moment_keeps_no_job(make_queue: MakeQueue) -> None:
    queue, other = make_queue(), make_queue()

    async def handler(lease: Lease) -> bytes:
        await asyncio.sleep(30)
        return b""

    for i in range(30):
        running = asyncio.create_task(Worker(queue, handler, "w").run(asyncio.Event()))
        await asyncio.sleep(0.005)
        await other.submit(Job(str(i), b""))
        await asyncio.sleep(i / 10_000)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        [lease] = await other.lease("other", wait_s=10)
        assert (lease.job_id, lease.deliveries) == (str(i), 1)
        await other.complete(lease, b"")


async def test_a_worker_stops_promptly_at_any_moment(queue: WorkQueue) -> None:
    async def handler(lease: Lease) -> bytes:
        return b""

    for i in range(60):
        async with at_work(queue, handler) as stop:
            await queue.submit(Job(str(i), b""))
            await asyncio.sleep(i / 10_000)
            started = monotonic()
            stop.set()
        assert monotonic() - started < 15
    assert (await queue.stats()).running == 0


async def test_the_handler_works_in_the_trace_of_its_submitter(queue: WorkQueue) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"

    async def handler(lease: Lease) -> bytes:
        return (current_traceparent() or "").encode()

    async with at_work(queue, handler):
        await queue.submit(Job("a", b"", traceparent=f"00-{trace_id}-b7ad6b7169203331-01"))
        _, result, _ = await outcome(queue)
    assert isinstance(result, bytes)
    assert trace_id.encode() in result


async def test_a_worker_with_no_slots_is_refused(queue: WorkQueue) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        Worker(queue, lambda lease: asyncio.sleep(0, b""), "w", concurrency=0)
