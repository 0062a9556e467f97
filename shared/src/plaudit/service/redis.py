"""The connection to Redis: a burst of requests waits for one, it does not open thousands."""

from collections.abc import Awaitable, Callable

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from plaudit.errors import Unavailable

_MAX_CONNECTIONS = 32
_WAIT_S = 10.0


def connect(url: str) -> Redis:
    """A client that closes its pool with itself. The default pool refuses a 101st call at once."""
    pool = BlockingConnectionPool.from_url(url, max_connections=_MAX_CONNECTIONS, timeout=_WAIT_S)
    return Redis.from_pool(pool)


def redis_check(redis: Redis) -> Callable[[], Awaitable[None]]:
    """For /readyz. Raises Unavailable."""

    async def check() -> None:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}.") from error

    return check
