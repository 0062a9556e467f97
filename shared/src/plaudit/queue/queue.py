"""WorkQueue: at-least-once jobs on Redis Streams.

A job is submitted once by its id, leased to one worker at a time, and ends exactly once as
done, failed, dead or cancelled. docs/queue.md has the guarantees and the keys.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Literal, cast

from redis.asyncio import Redis

from plaudit.errors import ConfigError, PlauditError, QueueFull
from plaudit.queue import wire
from plaudit.queue.batch import Batcher
from plaudit.queue.client import own_client
from plaudit.queue.dead import DeadLetters
from plaudit.queue.limits import (
    MAX_JOBS_PER_CALL,
    MAX_LEASES_PER_CALL,
    check_id,
    check_job,
    check_name,
    check_size,
    clip,
)
from plaudit.queue.link import Argument, Link
from plaudit.queue.model import (
    DeadJob,
    Job,
    JobRecord,
    Lease,
    LostLease,
    QueueStats,
    Submitted,
)
from plaudit.queue.options import QueueOptions
from plaudit.queue.stats import read_stats
from plaudit.queue.waiters import Waiters
from plaudit.schemas.job import JobStatus

IDLE_S = 1.0
"""Longest sleep of a worker without work; it bounds the harm of a wake-up that got lost."""

Outcome = Literal["done", "failed", "retry", "release"]
Settling = tuple[Lease, Outcome, bytes | str, float]


class WorkQueue:
    """`redis` must not decode responses. One object may serve any number of tasks.

    All calls raise Unavailable when Redis cannot be reached for `options.reconnect_s`.
    """

    def __init__(self, redis: Redis, name: str, options: QueueOptions | None = None) -> None:
        check_name(name)
        self.name = name
        self.options = options or QueueOptions()
        self._link = Link(own_client(redis), name, self.options.reconnect_s)
        self._submits = Batcher(self._send_units, _unit_bytes)
        self._settles = Batcher(self._send_outcomes, lambda item: len(item[2]))
        self._reads = Batcher(self._read_records, len)
        self._waiters = Waiters(self._link, self._read_records)
        self._dead = DeadLetters(self._link, self.options.max_jobs)
        self._returning: set[asyncio.Task[None]] = set()

    async def submit(self, job: Job) -> Submitted:
        """A job whose id is known is not made again; its status is returned.

        Raises QueueFull at `max_jobs` unfinished jobs, BodyTooLarge, Rejected for a bad id.
        """
        return (await self.submit_many([job]))[0]

    async def submit_many(self, jobs: Sequence[Job]) -> list[Submitted]:
        """All of them or, when they do not fit under `max_jobs`, none (QueueFull)."""
        if not jobs:
            return []
        if len(jobs) > MAX_JOBS_PER_CALL:
            raise ConfigError(f"{len(jobs)} jobs in one call; at most {MAX_JOBS_PER_CALL}")
        for job in jobs:
            check_job(job, self.options.max_payload_bytes)
        replies = await self._submits.call(jobs)
        if replies[0] == b"!":
            raise self._full(len(jobs))
        return [wire.submitted(job, reply) for job, reply in zip(jobs, replies, strict=True)]

    async def lease(self, worker_id: str, max_jobs: int = 1, wait_s: float = 1.0) -> list[Lease]:
        """Up to `max_jobs` jobs as soon as there are any, [] when there are none for `wait_s`.

        When it is cancelled, what it was about to return is handed back.
        """
        check_id(worker_id)
        deadline = monotonic() + wait_s
        while True:
            taken, due_s = await self._take_or_hand_back(worker_id, max_jobs)
            left_s = deadline - monotonic()
            if taken or left_s <= 0:
                return taken
            await self._link.sleep_until_woken(min(left_s, due_s, IDLE_S))

    async def renew(self, leases: Sequence[Lease]) -> list[LostLease]:
        """Another `lease_s` from now. Returns those whose job ended or is with another worker."""
        if not leases:
            return []
        args: list[Argument] = [wire.to_ms(self.options.lease_s)]
        for lease in leases:
            args += (lease.job_id, lease.token)
        replies: list[bytes] = await self._link.run("renew", args)
        return [
            LostLease(lease, cast(JobStatus, reply.decode()) if reply != b"?" else None)
            for lease, reply in zip(leases, replies, strict=True)
            if reply
        ]

    async def release(self, lease: Lease) -> None:
        """Hands the job back at once, ahead of new ones; this delivery does not count."""
        await self._settles.call((lease, "release", "", 0.0))

    async def complete(self, lease: Lease, result: bytes) -> bool:
        """True when this result is the recorded one: the first wins, late ones are told.

        Raises BodyTooLarge for a result over `max_result_bytes`.
        """
        limit = self.options.max_result_bytes
        check_size(f"result of job {lease.job_id}", result, limit, "max_result_bytes")
        recorded, _ = await self._settles.call((lease, "done", result, 0.0))
        return recorded

    async def fail(
        self, lease: Lease, error: str, retryable: bool, delay_s: float | None = None
    ) -> JobStatus | None:
        """The status after it: queued (to be tried again after `delay_s`), failed or dead.

        A lease that is no longer the job's newest changes nothing; the status is then what
        others made of the job, None without a record.
        """
        outcome: Outcome = "retry" if retryable else "failed"
        wait_s = self._retry_delay_s(lease.deliveries) if delay_s is None else delay_s
        _, status = await self._settles.call((lease, outcome, clip(error), wait_s))
        return status

    async def record(self, job_id: str) -> JobRecord | None:
        return await self._reads.call(job_id)

    async def wait(self, job_id: str, timeout_s: float) -> JobRecord | None:
        """The record once the job is finished, or as it is after `timeout_s`.

        None when there is no such job.
        """
        found = await self._waiters.wait(job_id, timeout_s) if timeout_s > 0 else None
        return found or await self.record(job_id)

    async def cancel(self, job_id: str) -> bool:
        """True when the job was unfinished and is cancelled now.

        A worker that runs it finds out at its next renewal.
        """
        args: list[Argument] = [wire.to_ms(self.options.result_ttl_s), job_id]
        return bool((await self._link.run("cancel", args))[0])

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Drops the records of those that are finished; their ids may then be used anew."""
        for start in range(0, len(job_ids), MAX_JOBS_PER_CALL):
            await self._link.run("forget", job_ids[start : start + MAX_JOBS_PER_CALL])

    async def stats(self) -> QueueStats:
        return await read_stats(self._link)

    async def list_dead(self, count: int = 100) -> list[DeadJob]:
        """The oldest dead letters."""
        return await self._dead.list(count)

    async def retry_dead(self, job_id: str | None = None) -> int:
        """Queues one dead job, or all, afresh; returns how many. Raises QueueFull."""
        return await self._dead.retry(job_id)

    async def purge_dead(self) -> int:
        """Drops all dead letters; returns how many."""
        return await self._dead.purge()

    async def sweep_workers(self) -> int:
        """Forgets workers that hold nothing and were not seen for ten leases."""
        return int(await self._link.run("sweep", [wire.to_ms(10 * self.options.lease_s)]))

    async def aclose(self) -> None:
        """Ends waits and background work. The Redis client given stays open."""
        await self._waiters.aclose()
        for batcher in (self._submits, self._settles, self._reads):
            await batcher.drain()
        if self._returning:
            await asyncio.wait(self._returning)
        await self._link.aclose()

    def _full(self, num_jobs: int) -> QueueFull:
        return QueueFull(
            f"queue {self.name} has no room for {num_jobs} more jobs: "
            f"at most {self.options.max_jobs} unfinished ones (max_jobs)",
            fix="send it again later, or add workers",
            retry_after_s=1.0,
        )

    def _retry_delay_s(self, deliveries: int) -> float:
        delay_s: float = self.options.retry_delay_s * 2 ** min(deliveries - 1, 30)
        return min(delay_s, self.options.max_retry_delay_s)

    async def _send_units(self, units: Sequence[Sequence[Job]]) -> list[list[bytes]]:
        args = wire.submit_args(self.options.max_jobs, units)
        replies = iter(await self._link.run("submit", args))
        return [[next(replies) for _ in unit] for unit in units]

    async def _send_outcomes(
        self, settlings: Sequence[Settling]
    ) -> list[tuple[bool, JobStatus | None]]:
        options = self.options
        ttl_ms = wire.to_ms(options.result_ttl_s)
        args: list[Argument] = [ttl_ms, options.max_deliveries, options.max_dead]
        for lease, outcome, body, delay_s in settlings:
            args += (lease.job_id, lease.token, outcome, body, round(delay_s * 1000))
        replies: list[bytes] = await self._link.run("settle", args)
        return [wire.settled(reply) for reply in replies]

    async def _read_records(self, job_ids: Sequence[str]) -> list[JobRecord | None]:
        records: list[JobRecord | None] = []
        while len(records) < len(job_ids):
            rest = job_ids[len(records) :]
            replies = await self._link.run("records", rest)
            records += [wire.record(*pair) for pair in zip(rest, replies, strict=False)]
        return records

    async def _take_or_hand_back(self, worker_id: str, max_jobs: int) -> tuple[list[Lease], float]:
        taking = asyncio.create_task(self._take(worker_id, max_jobs))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            returning = asyncio.create_task(self._hand_back(taking))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
            raise

    async def _take(self, worker_id: str, max_jobs: int) -> tuple[list[Lease], float]:
        """Leases, and the seconds until a lease lapses or a retry is due (inf: none is)."""
        options = self.options
        reply = await self._link.run(
            "lease",
            [
                worker_id,
                max(1, min(max_jobs, MAX_LEASES_PER_CALL)),
                wire.to_ms(options.lease_s),
                options.max_deliveries,
                options.eval_share,
                wire.to_ms(options.result_ttl_s),
                options.max_dead,
            ],
        )
        due_s = reply[0] / 1000 if reply[0] >= 0 else float("inf")
        return wire.leases(reply[1:]), due_s

    async def _hand_back(self, taking: asyncio.Task[tuple[list[Lease], float]]) -> None:
        # Redis is away: the leases lapse by themselves.
        with suppress(PlauditError):
            taken, _ = await taking
            await asyncio.gather(*(self.release(lease) for lease in taken))


def _unit_bytes(unit: Sequence[Job]) -> int:
    return sum(len(job.payload) for job in unit)
