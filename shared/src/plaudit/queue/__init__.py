"""At-least-once jobs on Redis Streams."""

from plaudit.queue.metrics import queue_metrics, queue_metrics_text
from plaudit.queue.model import (
    DeadJob,
    FailJob,
    Job,
    JobRecord,
    LaneStats,
    Lease,
    LostLease,
    QueueStats,
    RetryJob,
    Submitted,
)
from plaudit.queue.options import QueueOptions
from plaudit.queue.queue import WorkQueue
from plaudit.queue.worker import Worker

__all__ = [
    "DeadJob",
    "FailJob",
    "Job",
    "JobRecord",
    "LaneStats",
    "Lease",
    "LostLease",
    "QueueOptions",
    "QueueStats",
    "RetryJob",
    "Submitted",
    "WorkQueue",
    "Worker",
    "queue_metrics",
    "queue_metrics_text",
]
