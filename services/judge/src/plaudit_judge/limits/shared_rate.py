"""Requests and tokens per minute of all workers of a judge together, counted in Redis."""

import asyncio
import time
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.telemetry import get_logger
from plaudit_judge.limits.rate import Limit, LocalRate

log = get_logger(__name__)
_ANSWER_S = 1.0
_REST_S = 5.0
"""Each worker counts for itself for this long after Redis failed."""

# ARGV: `take` or `settle`; then for each limit its name, the ms to use up, and the ms of its burst.
# Reply: ms to wait, as text; 0 when taken.
_SCRIPT = """
local t = redis.call('TIME')
local now, wait, until_ms, latest = t[1] * 1000 + t[2] / 1000, 0, {}, 0
for i = 2, #ARGV, 3 do
  until_ms[i] = math.max(now, tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or now))
  wait = math.max(wait, until_ms[i] - now - tonumber(ARGV[i + 2]))
end
if wait > 0 and ARGV[1] == 'take' then return tostring(wait) end
for i = 2, #ARGV, 3 do
  local used = until_ms[i] + tonumber(ARGV[i + 1])
  redis.call('HSET', KEYS[1], ARGV[i], string.format('%.3f', used))
  latest = math.max(latest, used - now)
end
redis.call('PEXPIRE', KEYS[1], math.ceil(latest) + 60000)
return '0'
"""


class SharedRate:
    """Falls back to a count of its own, with the same limits, while Redis does not answer."""

    def __init__(
        self, redis: Redis, judge: str, requests: Limit | None, tokens: Limit | None
    ) -> None:
        self._judge = judge
        self._key = f"plaudit:judge:rate:{judge}"
        self._script = redis.register_script(_SCRIPT)
        self._requests, self._tokens = requests, tokens
        self._local = LocalRate(requests, tokens)
        self._rests_until_s = float("-inf")

    async def take(self, num_tokens: int) -> float:
        waits_ms = await self._run("take", _spent("requests", self._requests, 1), num_tokens)
        return await self._local.take(num_tokens) if waits_ms is None else float(waits_ms) / 1000.0

    async def settle(self, num_tokens: int) -> None:
        if self._tokens is None:
            return
        if await self._run("settle", [], self._tokens.at_most(num_tokens)) is None:
            await self._local.settle(num_tokens)

    async def _run(self, verb: str, args: list[str | float], num_tokens: int) -> Any:
        """None when Redis does not answer, and for a while after that."""
        if time.monotonic() < self._rests_until_s:
            return None
        args = [verb, *args, *_spent("tokens", self._tokens, num_tokens)]
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._script(keys=[self._key], args=args)
        except (RedisError, OSError) as error:
            log.warning("shared_rate_away", judge=self._judge, error=repr(error))
            self._rests_until_s = time.monotonic() + _REST_S
            return None


def _spent(name: str, limit: Limit | None, number: int) -> list[str | float]:
    if limit is None:
        return []
    return [name, 1000.0 * number * limit.interval_s, 1000.0 * limit.burst_s]
