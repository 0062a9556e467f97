"""The limits of one queue. Every process that uses a queue gives it the same options."""

from pydantic import Field

from plaudit.schemas.common import Contract

MEBIBYTE = 1024 * 1024


class QueueOptions(Contract):
    max_jobs: int = Field(default=10_000, ge=1)
    """Unfinished jobs in both lanes together; beyond it, submit raises QueueFull."""
    max_payload_bytes: int = Field(default=8 * MEBIBYTE, ge=1)
    max_result_bytes: int = Field(default=32 * MEBIBYTE, ge=1)
    lease_s: float = Field(default=30.0, gt=0)
    """A worker that does not renew for this long loses the job to another one."""
    max_deliveries: int = Field(default=5, ge=1)
    """Attempts until a job is dead. A release does not count."""
    retry_delay_s: float = Field(default=0.1, ge=0)
    """Wait after the first failed attempt; it doubles with each further one."""
    max_retry_delay_s: float = Field(default=10.0, ge=0)
    result_ttl_s: float = Field(default=3600.0, gt=0)
    """How long the record of a finished job is kept. An unfinished one never expires."""
    eval_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the leases that the eval lane gets while both lanes have work."""
    max_dead: int = Field(default=10_000, ge=1)
    """Dead letters kept; beyond it the oldest is dropped and counted."""
    reconnect_s: float = Field(default=10.0, gt=0)
    """How long one call goes on trying to reach Redis before it raises Unavailable."""
