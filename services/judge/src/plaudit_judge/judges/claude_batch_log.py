"""Which Message Batch each ask is in, kept in Redis: a restarted worker pays for nothing twice."""

from collections.abc import Iterable, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.errors import Unavailable

_READ_TTL_S = 60
"""An ask is kept for this long after its result was read: for the verdict to get into the queue."""


class BatchLog:
    """Raises Unavailable when Redis does not answer: who does not know must not ask again."""

    def __init__(self, redis: Redis, judge: str, ttl_s: float) -> None:
        """`ttl_s`: how long a batch may take."""
        self._redis = redis
        self._prefix = f"plaudit:judge:batch:{judge}:"
        self._ttl_s = round(ttl_s) + _READ_TTL_S

    async def find(self, asks: Sequence[str]) -> dict[str, str]:
        """The ids of the batches that have these asks, by ask."""
        try:
            found: list[bytes | None] = await self._redis.mget(self._keys(asks))  # type: ignore[assignment]
        except (RedisError, OSError) as error:
            raise _away(error) from error
        return {ask: batch.decode() for ask, batch in zip(asks, found, strict=True) if batch}

    async def note(self, batch: str, asks: Iterable[str]) -> None:
        await self._set(dict.fromkeys(self._keys(asks), batch), self._ttl_s)

    async def note_read(self, batch: str, asks: Iterable[str]) -> None:
        await self._set(dict.fromkeys(self._keys(asks), batch), _READ_TTL_S)

    async def forget(self, asks: Iterable[str]) -> None:
        """They have no result there, and may be asked in another batch."""
        try:
            await self._redis.unlink(*self._keys(asks))
        except (RedisError, OSError) as error:
            raise _away(error) from error

    async def aclose(self) -> None:
        await self._redis.aclose()

    def _keys(self, asks: Iterable[str]) -> list[str]:
        return [f"{self._prefix}{ask}" for ask in asks]

    async def _set(self, values: dict[str, str], ttl_s: int) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    pipeline.set(key, value, ex=ttl_s)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise _away(error) from error


def _away(error: Exception) -> Unavailable:
    return Unavailable(
        f"Redis does not say which batch has an ask: {type(error).__name__}.",
        fix="start Redis or check redis_url.",
    )
