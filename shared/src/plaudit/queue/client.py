"""The queue's own connections to the Redis of the client that it was given."""

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from plaudit.errors import ConfigError

MAX_CONNECTIONS = 1000
"""Each blocked `lease` holds one; everything else of a queue shares a handful."""


def own_client(redis: Redis) -> Redis:
    """A client for the same server with connections, retries and timeouts of its own.

    Blocked reads then hold up nobody else. Timeouts are the caller's: with a socket_timeout
    redis-py sends through `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that
    comes at the moment the write ends, and which costs a task per command.

    Raises ConfigError for a client that decodes responses.
    """
    pool = redis.connection_pool
    settings = dict(pool.connection_kwargs)
    if settings.get("decode_responses"):
        raise ConfigError("a WorkQueue needs a Redis client with decode_responses=False")
    settings |= {"retry": Retry(NoBackoff(), 0), "socket_timeout": None}
    return Redis.from_pool(
        ConnectionPool(
            connection_class=pool.connection_class, max_connections=MAX_CONNECTIONS, **settings
        )
    )
