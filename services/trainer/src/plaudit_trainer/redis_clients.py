"""Redis connections that outlive a restart of the server: commands are retried for a minute."""

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
from redis.retry import Retry

_ERRORS = [ConnectionError, TimeoutError, BusyLoadingError]
_NUM_RETRIES = 60
_LONGEST_PAUSE_S = 1.0
MAX_CONNECTIONS = 16
"""Of one asyncio client. The default pool raises an error at the 101st call at once."""


def _backoff() -> ExponentialBackoff:
    return ExponentialBackoff(cap=_LONGEST_PAUSE_S, base=0.05)


def connect_sync(url: str) -> redis.Redis:
    """A blocking client; raises redis.ConnectionError once the server is away for a minute."""
    return redis.Redis.from_url(
        url,
        retry=Retry(_backoff(), _NUM_RETRIES),
        retry_on_error=_ERRORS,
        socket_timeout=30,
    )


def connect_async(url: str) -> redis.asyncio.Redis:
    """The same for asyncio. Calls beyond MAX_CONNECTIONS at once wait for their turn."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=_NUM_RETRIES * _LONGEST_PAUSE_S,
        retry=AsyncRetry(_backoff(), _NUM_RETRIES),
        retry_on_error=_ERRORS,
        socket_timeout=30,
    )
    return redis.asyncio.Redis.from_pool(pool)
