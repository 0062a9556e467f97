"""Between the values of model.py and what the scripts take and return."""

from collections.abc import Sequence
from typing import cast

from plaudit.queue.link import Argument
from plaudit.queue.model import Job, JobRecord, Lease, Submitted
from plaudit.schemas.common import Lane
from plaudit.schemas.job import JobStatus


def to_ms(seconds: float) -> int:
    """At least 1: Redis takes 0 for "at once" or "for ever", depending on the command."""
    return max(1, round(seconds * 1000))


def entry_time_s(entry: bytes) -> float:
    """A stream entry's id starts with the time it was added, by the clock of Redis."""
    return int(entry.partition(b"-")[0]) / 1000


def submit_args(max_jobs: int, units: Sequence[Sequence[Job]]) -> list[Argument]:
    args: list[Argument] = [max_jobs, len(units), *map(len, units)]
    for unit in units:
        for job in unit:
            args += (job.job_id, job.lane, job.traceparent or "", job.payload)
    return args


def submitted(job: Job, reply: bytes) -> Submitted:
    created = reply == b"+"
    status = "queued" if created else reply.decode()
    return Submitted(job.job_id, created, cast(JobStatus, status))


def leases(reply: Sequence[bytes]) -> list[Lease]:
    """`reply` without its first element: id, payload, traceparent, 'lane deliveries token'."""
    taken = []
    for at in range(0, len(reply), 4):
        job_id, payload, traceparent, meta = reply[at : at + 4]
        lane, deliveries, token = meta.decode().split()
        taken.append(
            Lease(
                job_id.decode(),
                payload,
                cast(Lane, lane),
                int(deliveries),
                traceparent.decode() or None,
                int(token),
            )
        )
    return taken


def record(job_id: str, reply: Sequence[bytes | None]) -> JobRecord | None:
    status, lane, entry, deliveries, error, result = reply
    if status is None or lane is None or entry is None:
        return None
    return JobRecord(
        job_id=job_id,
        status=cast(JobStatus, status.decode()),
        result=result,
        error=error.decode(errors="replace") if error is not None else None,
        deliveries=int(deliveries or 0),
        submitted_at=entry_time_s(entry),
        lane=cast(Lane, lane.decode()),
    )


def settled(reply: bytes) -> tuple[bool, JobStatus | None]:
    """Whether the call decided, and the job's status after it."""
    status = reply[1:].decode()
    return reply.startswith(b"1"), cast(JobStatus, status) if status else None
