"""Worker: runs a handler on leased jobs and keeps their leases alive meanwhile."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from plaudit.errors import BodyTooLarge, Unavailable
from plaudit.queue.limits import check_id
from plaudit.queue.model import FailJob, Lease, RetryJob
from plaudit.queue.queue import WorkQueue
from plaudit.queue.tasks import cancel
from plaudit.schemas.job import JobStatus
from plaudit.telemetry import TraceContext, get_logger, recorded, use_traceparent

log = get_logger(__name__)

T = TypeVar("T")
Handler = Callable[[Lease], Awaitable[bytes]]
Settle = Callable[[], Awaitable[object]]

RENEWALS_PER_LEASE = 3
PAUSE_S = 0.5
CANCEL_GRACE_S = 2.5
"""How long a cancelled handler may take to clean up before the worker goes on without it."""


class Worker:
    """Runs up to `concurrency` jobs at a time.

    A handler returns the result, or raises RetryJob, FailJob or anything else, which counts as
    a failed attempt. It is cancelled when the job is cancelled or its lease is lost. A handler
    must not block the event loop for `lease_s`, or its own lease lapses.
    `settle_timeout_s` bounds how long a finished result waits for a Redis that is away.
    """

    def __init__(
        self,
        queue: WorkQueue,
        handler: Handler,
        worker_id: str,
        *,
        concurrency: int = 1,
        drain_timeout_s: float = 10.0,
        settle_timeout_s: float = 300.0,
    ) -> None:
        check_id(worker_id)
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        self._queue = queue
        self._handler = handler
        self._worker_id = worker_id
        self._concurrency = concurrency
        self._drain_timeout_s = drain_timeout_s
        self._settle_timeout_s = settle_timeout_s
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._settling: set[asyncio.Task[None]] = set()
        self._lost: set[asyncio.Task[None]] = set()
        self._slot_freed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then finishes or hands back what it holds.

        Unfinished handlers get `drain_timeout_s`, then they are cancelled and their jobs
        released. Redis being away is waited out.
        """
        leasing = asyncio.create_task(self._lease_forever())
        renewing = asyncio.create_task(self._renew_forever())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({leasing, renewing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await cancel(leasing)
            await self._wait_for_jobs(self._drain_timeout_s)
        finally:
            await cancel(leasing)
            await self._hand_back()
            for task in (renewing, stopping):
                await cancel(task)
        for task in (leasing, renewing):
            if not task.cancelled():
                task.result()  # neither ends by itself but with an error

    async def _lease_forever(self) -> None:
        await self._persist(self._queue.sweep_workers)
        while True:
            num_free = self._concurrency - len(self._running)
            if num_free <= 0:
                self._slot_freed.clear()
                await self._slot_freed.wait()
                continue
            leases = await self._persist(partial(self._queue.lease, self._worker_id, num_free))
            for lease in leases or ():
                self._start(lease)

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """None when Redis was away; the queue itself has tried for a while by then."""
        try:
            return await call()
        except Unavailable as error:
            log.warning("waiting for Redis", worker=self._worker_id, error=str(error))
            await asyncio.sleep(PAUSE_S)
            return None

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._queue.options.lease_s / RENEWALS_PER_LEASE)
            held = dict(self._running)
            lost = await self._persist(partial(self._queue.renew, list(held.values())))
            status = {one.lease: one.status for one in lost or ()}
            for task, lease in held.items():
                if lease in status and task not in self._settling and not task.done():
                    self._lose(task, lease, status[lease])

    def _lose(self, task: asyncio.Task[None], lease: Lease, status: JobStatus | None) -> None:
        log.warning("lease lost, job stopped", job_id=lease.job_id, status=status or "gone")
        self._lost.add(task)
        task.cancel()

    def _start(self, lease: Lease) -> None:
        task = asyncio.create_task(self._run_job(lease))
        self._running[task] = lease
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        lease = self._running.pop(task)
        self._settling.discard(task)
        self._lost.discard(task)
        self._slot_freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job not settled; its lease will lapse", job_id=lease.job_id, exc_info=error)

    async def _run_job(self, lease: Lease) -> None:
        task = _current_task()
        with use_traceparent(lease.traceparent) as trace:
            try:
                settle = await self._attempt(lease, trace)
            except asyncio.CancelledError:
                if task not in self._lost:
                    with suppress(Unavailable):  # the lease lapses by itself
                        await self._queue.release(lease)
                raise
            self._settling.add(task)
            await self._settle(lease, settle)

    async def _attempt(self, lease: Lease, trace: TraceContext) -> Settle:
        """Runs the handler; returns the call that records what came of it."""
        queue = self._queue
        try:
            name, delivery = f"{queue.name} job", lease.deliveries
            with recorded(name, trace, "consumer", lane=lease.lane, delivery=delivery):
                result = await self._handler(lease)
            if not isinstance(result, bytes):
                raise FailJob(f"the handler returned {type(result).__name__}, not bytes")
        except FailJob as failure:
            reason = failure.reason
            return lambda: queue.fail(lease, reason, retryable=False)
        except RetryJob as retry:
            reason, delay_s = retry.reason, retry.delay_s
            return lambda: queue.fail(lease, reason, retryable=True, delay_s=delay_s)
        except asyncio.CancelledError:
            if _current_task().cancelling():
                raise
            return lambda: queue.fail(lease, "the handler cancelled itself", retryable=True)
        except Exception:  # why: whatever a handler raises is a failed attempt, kept as text
            text = traceback.format_exc()
            log.warning(
                "attempt failed", job_id=lease.job_id, deliveries=lease.deliveries, exc_info=True
            )
            return lambda: queue.fail(lease, text, retryable=True)
        return lambda: self._complete(lease, result)

    async def _complete(self, lease: Lease, result: bytes) -> None:
        try:
            recorded = await self._queue.complete(lease, result)
        except BodyTooLarge as error:
            await self._queue.fail(lease, str(error), retryable=False)
            return
        if not recorded:
            log.info("the job had ended before this result came", job_id=lease.job_id)

    async def _settle(self, lease: Lease, settle: Settle) -> None:
        deadline = monotonic() + self._settle_timeout_s
        while True:
            try:
                await settle()
                return
            except Unavailable:
                if monotonic() > deadline:
                    raise
                log.warning("an outcome waits for Redis", job_id=lease.job_id)
                await asyncio.sleep(PAUSE_S)

    async def _wait_for_jobs(self, timeout_s: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

    async def _hand_back(self) -> None:
        """Cancels what still runs; each job releases itself."""
        await asyncio.sleep(0)  # a task cancelled before it began could not release anything
        for task in self._running:
            if task not in self._settling:
                task.cancel()
        await self._wait_for_jobs(CANCEL_GRACE_S)
        for task, lease in list(self._running.items()):
            log.error("job does not stop; its lease will lapse", job_id=lease.job_id)
            self._lost.add(task)
            task.cancel()


def _current_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task
