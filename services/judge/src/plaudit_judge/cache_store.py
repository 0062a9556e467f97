"""Remembered verdicts in Redis, shared by all workers of a judge.

Under plaudit:judge:cache:NAME: are the values, the claims of those who are asking, and an index by
last use, by which the oldest values are dropped. Each script is one atomic step.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.queue.tasks import cancel
from plaudit.telemetry import get_logger
from plaudit_judge import metrics

log = get_logger(__name__)
CLAIM_S = 2.0
"""A worker that dies keeps others from asking for this long at most."""
MAX_VALUE_BYTES = 32_768
"""Larger verdicts are not remembered."""
_RENEWALS_PER_CLAIM = 3
_ANSWER_S = 1.0
_MAX_AT_ONCE = 16
"""Calls of Redis: a burst of questions must not look like a slow Redis."""
_REST_S = 5.0
"""Redis is left alone for this long after it failed, so that not each verdict waits for it."""

_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
_LOOK = (
    _NOW
    + """
local value = redis.call('GET', KEYS[1] .. 'value:' .. ARGV[1])
if value then
  redis.call('ZADD', KEYS[1] .. 'index', 'XX', now, ARGV[1])
  return value
end
local claim = KEYS[1] .. 'claim:' .. ARGV[1]
return redis.call('SET', claim, ARGV[2], 'NX', 'PX', ARGV[3]) and 1 or 0
"""
)
_HOLD = """
local claim = KEYS[1] .. 'claim:' .. ARGV[1]
return redis.call('GET', claim) == ARGV[2] and redis.call('PEXPIRE', claim, ARGV[3]) or 0
"""
# At most 1000 are dropped at once: a bound that was lowered must not hold Redis up.
_KEEP = (
    _NOW
    + """
local ttl, index = tonumber(ARGV[3]), KEYS[1] .. 'index'
redis.call('SET', KEYS[1] .. 'value:' .. ARGV[1], ARGV[2], 'PX', ttl)
redis.call('ZADD', index, now, ARGV[1])
redis.call('PEXPIRE', index, ttl)
redis.call('ZREMRANGEBYSCORE', index, '-inf', now - ttl)
local excess = math.min(redis.call('ZCARD', index) - tonumber(ARGV[4]), 1000)
if excess > 0 then
  local oldest = redis.call('ZPOPMIN', index, excess)
  for i = 1, #oldest, 2 do redis.call('UNLINK', KEYS[1] .. 'value:' .. oldest[i]) end
end
return 1
"""
)


@dataclass(frozen=True)
class Seen:
    value: bytes | None = None
    may_ask: bool = False
    """There is none and nobody is asking, as far as is known; the claim is the caller's."""


class CacheStore:
    """Never raises when Redis is slow or away: nothing is remembered meanwhile."""

    def __init__(self, redis: Redis, judge: str, ttl_s: float, max_entries: int) -> None:
        self._judge = judge
        self._prefix = f"plaudit:judge:cache:{judge}:"
        self._ttl_ms = max(1, round(1000 * ttl_s))
        self._max_entries = max_entries
        self._look = redis.register_script(_LOOK)
        self._hold = redis.register_script(_HOLD)
        self._keep = redis.register_script(_KEEP)
        self._rests_until_s = float("-inf")
        self._is_away = False
        self._turns = asyncio.Semaphore(_MAX_AT_ONCE)

    async def look(self, key: str, token: str) -> Seen:
        """Claims the key for the holder of `token` when there is neither value nor claim."""
        found = await self._run(self._look, key, token, round(1000 * CLAIM_S))
        if isinstance(found, bytes):
            return Seen(value=found)
        return Seen(may_ask=found != 0)

    @asynccontextmanager
    async def claimed(self, key: str, token: str) -> AsyncIterator[None]:
        """Holds the claim for as long as the judge takes, and gives it up after that."""
        renewing = asyncio.create_task(self._renew(key, token))
        try:
            yield
        finally:
            await cancel(renewing)
            await self._run(self._hold, key, token, 0)

    async def keep(self, key: str, value: bytes) -> None:
        if len(value) <= MAX_VALUE_BYTES:
            await self._run(self._keep, key, value, self._ttl_ms, self._max_entries)

    async def _renew(self, key: str, token: str) -> None:
        while True:
            await asyncio.sleep(CLAIM_S / _RENEWALS_PER_CLAIM)
            await self._run(self._hold, key, token, round(1000 * CLAIM_S))

    async def _run(self, script: Any, *args: bytes | str | int) -> Any:
        """None when Redis does not answer, and for a while after that."""
        async with self._turns:
            if time.monotonic() < self._rests_until_s:
                return None
            try:
                async with asyncio.timeout(_ANSWER_S):
                    answer = await script(keys=[self._prefix], args=args)
            except (RedisError, OSError) as error:
                self._rest(error)
                return None
        self._is_away = False
        return answer

    def _rest(self, error: Exception) -> None:
        metrics.CACHE_FAILURES.labels(self._judge).inc()
        if not self._is_away:
            log.warning("verdict_cache_away", judge=self._judge, error=repr(error))
        self._is_away = True
        self._rests_until_s = time.monotonic() + _REST_S
