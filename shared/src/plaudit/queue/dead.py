"""The dead letters of a queue: list, retry, purge."""

from collections.abc import Mapping, Sequence
from typing import cast

from plaudit.errors import QueueFull
from plaudit.queue.link import Link
from plaudit.queue.model import DeadJob
from plaudit.queue.wire import entry_time_s
from plaudit.schemas.common import Lane

RETRIED_PER_CALL = 100


class DeadLetters:
    def __init__(self, link: Link, max_jobs: int) -> None:
        self._link = link
        self._max_jobs = max_jobs

    async def list(self, count: int) -> list[DeadJob]:
        """The oldest `count`, payloads and all."""
        letters: Sequence[Sequence[bytes]] = await self._link.run("list_dead", [max(1, count)])
        return [
            _dead_job(letter, dict(zip(flat[::2], flat[1::2], strict=True)))
            for letter, *flat in letters
        ]

    async def retry(self, job_id: str | None) -> int:
        """Queues one job, or all of them, afresh; returns how many.

        Raises QueueFull when the bound of the queue stops it. What fitted is queued then, the
        rest stays dead.
        """
        total = 0
        job_ids: Sequence[str] = [] if job_id is None else [job_id]
        while True:
            retried, passed, full = await self._link.run(
                "retry_dead", [self._max_jobs, RETRIED_PER_CALL, *job_ids]
            )
            total += int(retried)
            if full:
                raise QueueFull(
                    f"queue {self._link.queue} has {self._max_jobs} unfinished jobs (max_jobs); "
                    f"{total} dead jobs were queued again, the rest stays dead",
                    retry_after_s=1.0,
                )
            if job_id is not None or retried + passed == 0:
                return total

    async def purge(self) -> int:
        return int(await self._link.run("purge_dead", []))


def _dead_job(letter: bytes, fields: Mapping[bytes, bytes]) -> DeadJob:
    return DeadJob(
        job_id=fields[b"job"].decode(),
        payload=fields[b"payload"],
        error=fields[b"error"].decode(errors="replace"),
        lane=cast(Lane, fields[b"lane"].decode()),
        deliveries=int(fields[b"deliveries"]),
        traceparent=fields[b"trace"].decode() or None,
        submitted_at=entry_time_s(fields[b"submitted"]),
        died_at=entry_time_s(letter),
    )
