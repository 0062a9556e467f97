"""What is known so far of requests that take long, for callers whose time is over before."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.telemetry import get_logger
from plaudit_reward.wire import Found, PoolScores

EVERY_S = 0.5
"""A request that is done sooner costs nothing here."""

T = TypeVar("T")

log = get_logger(__name__)


class Partials:
    """Of one pool, by job. Nothing depends on them: while Redis is away there are none."""

    def __init__(self, redis: Redis, pool: str, ttl_s: float) -> None:
        self._redis = redis
        self._prefix = f"plaudit:reward:partial:{pool}:"
        self._ttl_ms = int(1000 * ttl_s)

    async def showing(self, job_id: str, found: Found, work: Coroutine[Any, Any, T]) -> T:
        """Do `work`, which fills `found`; show now and then what is there."""
        task = asyncio.ensure_future(work)
        num_shown = 0
        try:
            while not (await asyncio.wait((task,), timeout=EVERY_S))[0]:
                num_found = sum(len(columns) for columns in found)
                if num_found > num_shown:
                    await self._put(job_id, found)
                    num_shown = num_found
            return task.result()
        finally:
            task.cancel()

    async def get(self, job_id: str) -> PoolScores | None:
        try:
            stored = await self._redis.get(self._prefix + job_id)
            return None if stored is None else PoolScores.model_validate_json(stored)
        except (RedisError, OSError, ValidationError) as error:
            log.warning("no_partial_scores", job=job_id, reason=type(error).__name__)
            return None

    async def _put(self, job_id: str, found: Found) -> None:
        text = PoolScores.of(found).model_dump_json()
        try:
            await self._redis.set(self._prefix + job_id, text, px=self._ttl_ms)
        except (RedisError, OSError) as error:
            log.warning("partial_scores_not_kept", job=job_id, reason=type(error).__name__)
