"""The connection to Redis: a burst of requests waits for one, it does not open thousands."""

from redis.asyncio import BlockingConnectionPool, Redis

_MAX_CONNECTIONS = 32
_WAIT_S = 10.0


def connect(url: str) -> Redis:
    """A client that closes its pool with itself. The default pool refuses a 101st call at once."""
    pool = BlockingConnectionPool.from_url(url, max_connections=_MAX_CONNECTIONS, timeout=_WAIT_S)
    return Redis.from_pool(pool)
