"""Contracts of asynchronous jobs, the same for every service."""

from typing import Any, Literal

from plaudit.schemas.common import Contract

JobStatus = Literal["queued", "running", "done", "failed", "dead", "cancelled"]


class JobRequest(Contract):
    """`request` is the body that `POST /v1/<verb>` takes."""

    verb: str
    request: dict[str, Any]


class JobAccepted(Contract):
    job_id: str
    status: JobStatus


class JobView(Contract):
    job_id: str
    status: JobStatus
    result: dict[str, Any] | None = None
    error: str | None = None
