"""Redis connections that outlive a restart of the server, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, TimeoutError

from plaudit.errors import Unavailable

MAX_CONNECTIONS = 16
_NUM_RETRIES = 6
_TIMEOUT_S = 10.0
_RETRIED: list[type[Exception]] = [ConnectionError, TimeoutError, BusyLoadingError]


def connect(url: str) -> Redis:
    """Commands are tried again for about two seconds while the server is away.

    Calls beyond MAX_CONNECTIONS at once wait for their turn; the default pool refuses them.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _NUM_RETRIES),
        retry_on_error=_RETRIED,
        socket_timeout=_TIMEOUT_S,
    )
    return Redis.from_pool(pool)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raises Unavailable for whatever Redis raises inside."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            f"Redis does not answer: {type(error).__name__}.",
            fix="start Redis or check redis_url (PLAUDIT_REDIS_URL)",
            retry_after_s=1.0,
        ) from error
