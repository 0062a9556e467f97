"""What a queue refuses before anything is sent."""

import re

from plaudit.errors import BodyTooLarge, ConfigError, Rejected
from plaudit.queue.model import LANES, Job

MAX_ID_CHARS = 512
MAX_ERROR_CHARS = 4000
MAX_LEASES_PER_CALL = 1024
MAX_JOBS_PER_CALL = 4096

# No colon: the keys of queue `a:job` would be among those of queue `a`.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Nor a lone surrogate, which has no UTF-8.
_NOT_IN_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TRACEPARENT = re.compile(r"[\x20-\x7e]{0,128}")


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"queue name {name[:80]!r} is not valid",
            fix="use up to 64 letters, digits, '.', '_' and '-'",
        )


def check_id(job_id: str) -> None:
    """Ids travel one a line, so a control character could pass for two of them."""
    if not 0 < len(job_id) <= MAX_ID_CHARS or _NOT_IN_ID.search(job_id):
        raise Rejected(
            f"job_id {job_id[:80]!r} is not valid",
            fix=f"use 1 to {MAX_ID_CHARS} characters, none of them a control character",
        )


def check_job(job: Job, max_payload_bytes: int) -> None:
    check_id(job.job_id)
    if job.lane not in LANES:
        raise Rejected(f"lane {job.lane!r} of job {job.job_id} is neither train nor eval")
    if not _TRACEPARENT.fullmatch(job.traceparent or ""):
        raise Rejected(f"traceparent of job {job.job_id} is not up to 128 ASCII characters")
    check_size(f"payload of job {job.job_id}", job.payload, max_payload_bytes, "max_payload_bytes")


def check_size(what: str, body: bytes, max_bytes: int, limit: str) -> None:
    """Its type, too: one wrong value would spoil the batch that it travels in."""
    if not isinstance(body, bytes):
        raise TypeError(f"{what} is {type(body).__name__}, not bytes")
    if len(body) > max_bytes:
        raise BodyTooLarge(f"{what} has {len(body)} bytes; {limit} is {max_bytes}")


def clip(error: str) -> str:
    """Keeps the end of a long text, which is where a traceback names the error."""
    clean = error.encode(errors="replace").decode()
    return clean if len(clean) <= MAX_ERROR_CHARS else f"[...] {clean[-MAX_ERROR_CHARS:]}"
