"""Helpers for tests, ours and users': a real Redis, a real server, a free port."""

from plaudit.testing.net import free_port
from plaudit.testing.redis import RedisServer, find_redis_server, redis_process, redis_server
from plaudit.testing.server import running

__all__ = [
    "RedisServer",
    "find_redis_server",
    "free_port",
    "redis_process",
    "redis_server",
    "running",
]
