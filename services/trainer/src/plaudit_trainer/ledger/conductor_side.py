"""The conductor's face of the ledger: admission, arrival of scored groups, drops, the status."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from plaudit.errors import PlauditError
from plaudit.queue.batch import Batcher
from plaudit.schemas.run import Ledger, Waiting
from plaudit_trainer.ledger import scripts
from plaudit_trainer.ledger.keys import is_setting, parse_counts, prefix, script_keys


@dataclass(frozen=True)
class GroupEvent:
    """A group reached its final state: `trained:<step>` (checkpointed) or `dropped:<reason>`."""

    event_id: str
    group_id: str
    state: str


class ConductorLedger:
    """`client` must not decode responses."""

    def __init__(self, client: Redis, run_id: str) -> None:
        # Any: redis-py types every answer as any of its wire forms.
        self._redis: Any = client
        self._prefix = prefix(run_id)
        self._keys = script_keys(run_id)
        self._admit = client.register_script(scripts.ADMIT)
        self._ready = client.register_script(scripts.READY)
        self._drop = client.register_script(scripts.DROP)
        self._readies = Batcher(self._make_ready, lambda pair: len(pair[1]))

    async def admit(self, *, max_live: int, num_rows: int, most: int = 256) -> list[str]:
        """Admit groups until `max_live` are trained or in flight; the ids of the new ones."""
        args = [max_live, num_rows, most, time.time()]
        names = await self._admit(keys=self._keys, args=args)
        return [name.decode() for name in names]

    async def admitted(self) -> dict[str, float]:
        """Groups admitted and not yet ready, with their time of admission, oldest first."""
        pairs = await self._redis.zrange(self._prefix + "admitted", 0, -1, withscores=True)
        return {name.decode(): score for name, score in pairs}

    async def ready(self, group_id: str, payload: bytes) -> bool:
        """Hand a scored group to the learner; False when it already was, or was dropped."""
        return await self._readies.call((group_id, payload))

    async def _make_ready(self, pairs: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Groups that become ready at the same time share one round trip."""
        args = [part for pair in pairs for part in pair]
        return [bool(reply) for reply in await self._ready(keys=self._keys, args=args)]

    async def drop(self, group_ids: Sequence[str], reason: str, *, try_again: bool) -> int:
        args = [reason, "1" if try_again else "0", *group_ids]
        return int(await self._drop(keys=self._keys, args=args))

    async def ready_ids(self) -> list[str]:
        names = await self._redis.zrange(self._prefix + "ready", 0, -1)
        return [name.decode() for name in names]

    async def counts(self) -> Ledger:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(self._prefix + "counts")
            pipe.zcard(self._prefix + "admitted")
            pipe.zcard(self._prefix + "ready")
            counts, admitted, ready = await pipe.execute()
        return parse_counts(counts, admitted + ready)

    async def num_ready(self) -> int:
        return int(await self._redis.zcard(self._prefix + "ready"))

    async def events(self, most: int = 1000) -> list[GroupEvent]:
        """Final states not yet written down, oldest first; `forget_events` removes them."""
        entries = await self._redis.xrange(self._prefix + "events", count=most)
        return [
            GroupEvent(event_id.decode(), fields[b"group"].decode(), fields[b"state"].decode())
            for event_id, fields in entries
        ]

    async def forget_events(self, events: Sequence[GroupEvent]) -> None:
        if events:
            await self._redis.xdel(self._prefix + "events", *(event.event_id for event in events))

    async def progress(self) -> dict[str, Any]:
        values = await self._redis.hgetall(self._prefix + "progress")
        return {key.decode(): json.loads(value) for key, value in values.items()}

    async def set_progress(self, **values: Any) -> None:
        mapping = {key: json.dumps(value) for key, value in values.items()}
        await self._redis.hset(self._prefix + "progress", mapping=mapping)

    async def success_rates(self) -> dict[str, float]:
        """Of the rows tried so far, by row id."""
        rates = await self._redis.hgetall(self._prefix + "success")
        return {row_id.decode(): float(rate) for row_id, rate in rates.items()}

    async def set_success_rate(self, row_id: str, rate: float) -> None:
        await self._redis.hset(self._prefix + "success", row_id, rate)

    async def fail(self, error: PlauditError) -> None:
        """As the learner's: the first failure stays."""
        if await self._redis.hsetnx(self._prefix + "progress", "failure", json.dumps(str(error))):
            await self.set_progress(failure_is_setting=is_setting(error))

    async def clear_failure(self) -> None:
        await self._redis.hdel(self._prefix + "progress", "failure", "failure_is_setting")

    async def waiting(self) -> list[Waiting]:
        values = await self._redis.hgetall(self._prefix + "waiting")
        now = time.time()
        parsed = {who.decode(): json.loads(value) for who, value in values.items()}
        return [
            Waiting(who=who, what=value["what"], since_s=now - value["since"])
            for who, value in sorted(parsed.items())
        ]
