"""Redis connections that outlive a restart of the server, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, TimeoutError

from plaudit.errors import Unavailable

_NUM_RETRIES = 6
_RETRIED: list[type[Exception]] = [ConnectionError, TimeoutError, BusyLoadingError]


def connect(url: str) -> Redis:
    """Commands are tried again for about two seconds while the server is away."""
    return Redis.from_url(
        url,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _NUM_RETRIES),
        retry_on_error=_RETRIED,
        socket_timeout=10.0,
    )


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
