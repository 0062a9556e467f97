import asyncio
from collections.abc import Callable

from plaudit.queue import Job, Lease, Worker, WorkQueue

MakeQueue = Callable[..., WorkQueue]


async def test_a_queued_job_is_removed(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    assert await queue.cancel("a")
    assert not await queue.cancel("a")
    assert await queue.lease("w", wait_s=0) == []
    assert (await queue.record("a")).status == "cancelled"
    assert (await queue.stats()).queued == 0


async def test_a_job_that_waits_for_its_retry_is_removed(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    [lease] = await queue.lease("w")
    await queue.fail(lease, "later", retryable=True, delay_s=0.05)
    assert await queue.cancel("a")
    assert await queue.lease("w", wait_s=0.2) == []


async def test_what_ended_or_never_was_cannot_be_cancelled(queue: WorkQueue) -> None:
    await queue.submit(Job("a", b""))
    [lease] = await queue.lease("w")
    await queue.complete(lease, b"r")
    assert not await queue.cancel("a")
    assert not await queue.cancel("unknown")
    assert (await queue.record("a")).result == b"r"


async def test_the_handler_of_a_cancelled_job_is_cancelled(make_queue: MakeQueue) -> None:
    queue = make_queue(lease_s=1.0)
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(lease: Lease) -> bytes:
        started.set()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    stop = asyncio.Event()
    running = asyncio.create_task(Worker(queue, handler, "w").run(stop))
    await queue.submit(Job("a", b""))
    await started.wait()
    waiting = asyncio.create_task(queue.wait("a", 10))
    assert await queue.cancel("a")
    assert (await waiting).status == "cancelled"
    async with asyncio.timeout(8):
        await cancelled.wait()
    stop.set()
    await running
    stats = await queue.stats()
    assert (stats.queued, stats.running, stats.redelivered) == (0, 0, 0)
