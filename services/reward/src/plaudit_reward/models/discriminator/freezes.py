"""Who wants a discriminator to stay as it is: one lease for each owner, in Redis.

It is frozen while there is one. To give one up leaves the others as they are, so that the end of an
evaluation cannot undo what a user has asked for.
"""

import math
from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.errors import Conflict, Rejected, Unavailable
from plaudit.schemas.discriminator import DiscriminatorFreeze, DiscriminatorFrozen

PREFIX = "plaudit:reward:discriminator:freezes:"
MAX_OWNERS = 64


class Freezes:
    """Every call may raise Unavailable: Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def change(self, freeze: DiscriminatorFreeze) -> DiscriminatorFrozen:
        """Take, renew or give up. Raises Rejected when there are MAX_OWNERS others."""
        name, owner = freeze.discriminator, freeze.owner
        if not freeze.frozen:
            await self._ask(self._redis.zrem(PREFIX + name, owner))
            return await self.state(name)
        if len({*await self.owners(name), owner}) > MAX_OWNERS:
            raise Rejected(f"{name!r} is frozen by {MAX_OWNERS} owners already.", fix="give one up")
        ends_s = math.inf if freeze.lease_s is None else await self._now_s() + freeze.lease_s
        await self._ask(self._redis.zadd(PREFIX + name, {owner: ends_s}))
        return await self.state(name)

    async def state(self, name: str) -> DiscriminatorFrozen:
        owners = await self.owners(name)
        return DiscriminatorFrozen(discriminator=name, frozen=bool(owners), owners=owners)

    async def owners(self, name: str) -> list[str]:
        key, now_s = PREFIX + name, await self._now_s()
        await self._ask(self._redis.zremrangebyscore(key, "-inf", now_s))
        return sorted(one.decode() for one in await self._ask(self._redis.zrange(key, 0, -1)))

    async def refuse_if_frozen(self, name: str) -> None:
        """Raises Conflict."""
        if owners := await self.owners(name):
            raise Conflict(
                f"discriminator {name!r} is frozen by {', '.join(owners[:5])}.",
                fix="send the update again when it is thawed, or give the freeze up",
            )

    async def _now_s(self) -> float:
        """By the clock of Redis: API and workers may be on machines with others."""
        seconds, microseconds = await self._ask(self._redis.time())
        return float(seconds) + float(microseconds) / 1e6

    async def _ask(self, call: Any) -> Any:
        try:
            return await cast(Awaitable[Any], call)
        except (RedisError, OSError) as error:
            raise Unavailable(
                f"Redis, where freezes of discriminators are, does not answer: "
                f"{type(error).__name__}.",
                retry_after_s=1.0,
            ) from error
