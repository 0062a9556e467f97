"""What everybody knows of policy versions: the announced one, the proven one, the replicas.

Keys: `plaudit:rollout:policy` and `:proven` hold a PolicyAnnouncement, `:replicas` a hash of
ReplicaReport by id; a message on the channel `:changed` means that a version was announced.
"""

import asyncio
import time
from collections.abc import Collection

from pydantic import ValidationError
from redis.asyncio import Redis

from plaudit.errors import Conflict, Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.policy import PolicyAnnouncement, PolicyReplica, PolicyState
from plaudit_rollout.redis_client import redis_errors

_KEY = "plaudit:rollout:policy"
_PROVEN = f"{_KEY}:proven"
_REPLICAS = f"{_KEY}:replicas"
_CHANNEL = f"{_KEY}:changed"
_RECONNECT_S = 0.5

# Within a run versions only go up; another run starts anew. Reply: what stood against it.
_RAISE = """
local known = redis.call('GET', KEYS[1])
if known and known ~= ARGV[1] then
  local old = cjson.decode(known)
  if old.run_id == ARGV[2] and old.version >= tonumber(ARGV[3]) then return known end
end
redis.call('SET', KEYS[1], ARGV[1])
return false
"""


class ReplicaReport(Contract):
    """`run_id` says of which run the replica's version is."""

    run_id: str | None
    replica: PolicyReplica


class PolicyBoard:
    """All calls raise Unavailable when Redis does not answer. `redis` must not decode."""

    def __init__(self, redis: Redis, replica_ttl_s: float) -> None:
        self._redis = redis
        self._replica_ttl_s = replica_ttl_s
        self._raise = redis.register_script(_RAISE)

    async def announce(self, announcement: PolicyAnnouncement) -> None:
        """Repeating an announcement is harmless. Raises Conflict when a newer one stands."""
        newer = await self._set_newer(_KEY, announcement)
        if newer is not None:
            raise Conflict(
                f"version {announcement.version} of run {announcement.run_id[:80]!r} cannot be "
                f"announced: version {newer.version} is, and versions only go up.",
                fix="publish a new version; a published one never changes",
            )
        with redis_errors():
            await self._redis.publish(_CHANNEL, str(announcement.version))

    async def announced(self) -> PolicyAnnouncement | None:
        return await self._get(_KEY)

    async def proven(self) -> PolicyAnnouncement | None:
        """The newest version that some engine proved."""
        return await self._get(_PROVEN)

    async def set_proven(self, announcement: PolicyAnnouncement) -> None:
        await self._set_newer(_PROVEN, announcement)

    async def report(self, report: ReplicaReport) -> None:
        with redis_errors():
            await self._redis.hset(_REPLICAS, report.replica.replica_id, report.model_dump_json())

    async def leave(self, replica_id: str) -> None:
        with redis_errors():
            await self._redis.hdel(_REPLICAS, replica_id)

    async def state(self) -> PolicyState:
        """Who serves what of the announced run.

        Replicas that were not heard of for `replica_ttl_s` are left out and forgotten.
        """
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(_KEY)
                pipeline.hgetall(_REPLICAS)
                raw_announced, raw = await pipeline.execute()
        announced = _announcement(raw_announced)
        reports = {key.decode(): _report(value) for key, value in raw.items()}
        alive = [r for r in reports.values() if r is not None and self._is_alive(r.replica)]
        await self._forget(reports.keys() - {report.replica.replica_id for report in alive})
        replicas = [_as_seen_by(announced, report) for report in alive]
        replicas.sort(key=lambda replica: replica.replica_id)
        return PolicyState(announced=announced, replicas=replicas)

    async def wake_on_announcement(self, wake: asyncio.Event) -> None:
        """Sets `wake` at each announcement, for ever; a missed one is found by polling."""
        while True:
            try:
                with redis_errors():
                    await self._listen(wake)
            except Unavailable:
                await asyncio.sleep(_RECONNECT_S)

    async def _listen(self, wake: asyncio.Event) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(_CHANNEL)
            while True:
                if await channel.get_message(ignore_subscribe_messages=True, timeout=5.0):
                    wake.set()

    async def _forget(self, replica_ids: Collection[str]) -> None:
        if replica_ids:
            with redis_errors():
                await self._redis.hdel(_REPLICAS, *replica_ids)

    def _is_alive(self, replica: PolicyReplica) -> bool:
        return time.time() - replica.updated_at < self._replica_ttl_s

    async def _set_newer(
        self, key: str, announcement: PolicyAnnouncement
    ) -> PolicyAnnouncement | None:
        arguments: list[str | int] = [
            announcement.model_dump_json(),
            announcement.run_id,
            announcement.version,
        ]
        with redis_errors():
            return _announcement(await self._raise(keys=[key], args=arguments))

    async def _get(self, key: str) -> PolicyAnnouncement | None:
        with redis_errors():
            return _announcement(await self._redis.get(key))


def _announcement(raw: bytes | str | None) -> PolicyAnnouncement | None:
    return None if raw is None else PolicyAnnouncement.model_validate_json(raw)


def _report(raw: bytes) -> ReplicaReport | None:
    """None for what another release wrote: it will be written anew or time out."""
    try:
        return ReplicaReport.model_validate_json(raw)
    except ValidationError:
        return None


def _as_seen_by(announced: PolicyAnnouncement | None, report: ReplicaReport) -> PolicyReplica:
    """Version 3 of another run is not version 3 of this one."""
    if announced is not None and announced.run_id == report.run_id:
        return report.replica
    return report.replica.model_copy(update={"version": None})
