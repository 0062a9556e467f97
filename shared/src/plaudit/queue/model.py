"""The values that go into a queue and come out of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from plaudit.schemas.common import Lane
from plaudit.schemas.job import JobStatus

LANES: tuple[Lane, ...] = ("train", "eval")
FINISHED: frozenset[JobStatus] = frozenset({"done", "failed", "dead", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """`job_id` makes submission idempotent: the same id is the same job."""

    job_id: str
    payload: bytes
    lane: Lane = "train"
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """`status` is that of the job that already existed when `created` is false."""

    job_id: str
    created: bool
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until the lease lapses. `deliveries` is 1 the first time."""

    job_id: str
    payload: bytes
    lane: Lane
    deliveries: int
    traceparent: str | None
    token: int


@dataclass(frozen=True, slots=True)
class LostLease:
    """A lease that could not be renewed. `status` is the job's own, None without a record."""

    lease: Lease
    status: JobStatus | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """`submitted_at` is in seconds since the epoch, by the clock of Redis."""

    job_id: str
    status: JobStatus
    result: bytes | None
    error: str | None
    deliveries: int
    submitted_at: float
    lane: Lane = "train"

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that used up its deliveries, with all that is needed to try it again."""

    job_id: str
    payload: bytes
    error: str
    lane: Lane
    deliveries: int
    traceparent: str | None
    submitted_at: float
    died_at: float


@dataclass(frozen=True, slots=True)
class LaneStats:
    """`queued`, `running`, `lag` and `oldest_age_s` are of now; the rest are totals.

    `lag` counts jobs that no worker has seen yet; `queued` has those that wait for another
    attempt, too.
    """

    queued: int
    running: int
    lag: int
    oldest_age_s: float
    submitted: int
    done: int
    failed: int
    dead: int
    cancelled: int
    redelivered: int
    lapsed: int
    released: int


@dataclass(frozen=True, slots=True)
class QueueStats:
    """`dead` is the number of dead letters now; those of LaneStats are totals."""

    queue: str
    lanes: Mapping[Lane, LaneStats]
    dead: int
    dead_dropped: int
    refused: int
    late: int

    @property
    def queued(self) -> int:
        return sum(lane.queued for lane in self.lanes.values())

    @property
    def running(self) -> int:
        return sum(lane.running for lane in self.lanes.values())

    @property
    def lag(self) -> int:
        return sum(lane.lag for lane in self.lanes.values())

    @property
    def oldest_age_s(self) -> float:
        return max(lane.oldest_age_s for lane in self.lanes.values())

    @property
    def done(self) -> int:
        return sum(lane.done for lane in self.lanes.values())

    @property
    def failed(self) -> int:
        return sum(lane.failed for lane in self.lanes.values())

    @property
    def redelivered(self) -> int:
        return sum(lane.redelivered for lane in self.lanes.values())


class RetryJob(Exception):
    """A handler raises it to have the job tried again, after `delay_s` if given."""

    def __init__(self, reason: str, delay_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_s = delay_s


class FailJob(Exception):
    """A handler raises it when no other attempt can succeed: the job ends as failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
