"""The board of one run: which groups are outstanding, and finished ones until they are settled.

Keys, all under `plaudit:rollout:run:<run_id>:`, dropped when nobody touched them for a while:

    open      set   groups that were submitted and not acknowledged
    results   hash  group -> RolloutGroup as JSON, finished and not acknowledged
    due       zset  group -> time (ms) from which it may be delivered (again)
    consumer  string: who asked last

A group is recorded only while it is open and has no result yet, so that a late second
generation of it changes nothing.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis

from plaudit.errors import QueueFull
from plaudit.schemas.rollout import RolloutGroup
from plaudit_rollout.redis_client import redis_errors
from plaudit_rollout.settings import RolloutSettings

Argument = str | bytes | int

_PRELUDE = """
local open, results, due, consumer = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function keep(ttl_ms)
  for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ttl_ms) end
end
"""
_OPEN = """
local reply, new = {}, {}
for i = 3, #ARGV do
  if redis.call('HEXISTS', results, ARGV[i]) == 1 then reply[#reply + 1] = 2
  elseif redis.call('SISMEMBER', open, ARGV[i]) == 1 then reply[#reply + 1] = 1
  else reply[#reply + 1] = 0; new[#new + 1] = ARGV[i] end
end
if redis.call('SCARD', open) + #new > tonumber(ARGV[1]) then return {-1} end
for _, group in ipairs(new) do redis.call('SADD', open, group) end
keep(ARGV[2])
return reply
"""
_FINISH = """
if redis.call('SISMEMBER', open, ARGV[2]) == 0 then return 0 end
if redis.call('HSETNX', results, ARGV[2], ARGV[3]) == 0 then return 0 end
redis.call('ZADD', due, now, ARGV[2])
keep(ARGV[1])
return 1
"""
_LEASE = """
local who = ARGV[2]
if who ~= '' and redis.call('GET', consumer) ~= who then
  if redis.call('EXISTS', consumer) == 1 then
    for _, group in ipairs(redis.call('ZRANGEBYSCORE', due, '(' .. now, '+inf')) do
      redis.call('ZADD', due, now, group)
    end
  end
  redis.call('SET', consumer, who)
end
local reply, left = {}, tonumber(ARGV[5])
for _, group in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, ARGV[4])) do
  left = left - redis.call('HSTRLEN', results, group)
  if left < 0 and #reply > 0 then break end
  redis.call('ZADD', due, now + ARGV[3], group)
  reply[#reply + 1] = redis.call('HGET', results, group)
end
keep(ARGV[1])
return reply
"""
_ACK = """
local acked = 0
for i = 1, #ARGV do
  if redis.call('HDEL', results, ARGV[i]) == 1 then
    acked = acked + 1
    redis.call('ZREM', due, ARGV[i])
    redis.call('SREM', open, ARGV[i])
  end
end
return acked
"""


class Opened(IntEnum):
    """What a submitted group was before."""

    NEW = 0
    OUTSTANDING = 1
    FINISHED = 2


class Board:
    """All calls raise Unavailable when Redis does not answer. `redis` must not decode."""

    def __init__(self, redis: Redis, settings: RolloutSettings) -> None:
        self._settings = settings
        self._ttl_ms = round(settings.finished_ttl_s * 1000)
        self._open = redis.register_script(_PRELUDE + _OPEN)
        self._finish = redis.register_script(_PRELUDE + _FINISH)
        self._lease = redis.register_script(_PRELUDE + _LEASE)
        self._ack = redis.register_script(_PRELUDE + _ACK)

    async def open(self, run_id: str, group_ids: Sequence[str]) -> list[Opened]:
        """Raises QueueFull, having opened none, at `max_outstanding` groups of the run."""
        limit = self._settings.max_outstanding
        reply = await self._run(self._open, run_id, [limit, self._ttl_ms, *group_ids])
        if reply == [-1]:
            raise QueueFull(
                f"run {run_id[:80]!r} has no room for {len(group_ids)} more groups: at most "
                f"{limit} that are not acknowledged (max_outstanding).",
                fix="acknowledge finished groups, or send these again later",
                retry_after_s=1.0,
            )
        return [Opened(value) for value in reply]

    async def finish(self, group: RolloutGroup) -> bool:
        """Whether this result is the one that will be delivered."""
        body = group.model_dump_json().encode()
        arguments: list[Argument] = [self._ttl_ms, group.group_id, body]
        return bool(await self._run(self._finish, group.run_id, arguments))

    async def lease(self, run_id: str, max_groups: int, consumer: str) -> list[bytes]:
        """Finished groups as JSON, oldest first; they come again unless acknowledged in time.

        A consumer other than the last one takes over what that one had leased.
        """
        settings = self._settings
        lease_ms = round(settings.finished_lease_s * 1000)
        arguments: list[Argument] = [
            self._ttl_ms,
            consumer,
            lease_ms,
            max_groups,
            settings.max_response_bytes,
        ]
        found: list[bytes] = await self._run(self._lease, run_id, arguments)
        return found

    async def ack(self, run_id: str, group_ids: Sequence[str]) -> int:
        """How many of them were finished and not acknowledged before."""
        return int(await self._run(self._ack, run_id, list(group_ids)))

    async def _run(self, script: Any, run_id: str, arguments: Sequence[Argument]) -> Any:
        prefix = f"plaudit:rollout:run:{quote(run_id, safe=':')}:"
        keys = [prefix + name for name in ("open", "results", "due", "consumer")]
        with redis_errors():
            return await script(keys=keys, args=arguments)
