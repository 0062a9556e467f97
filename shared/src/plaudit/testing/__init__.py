"""Helpers for tests, ours and users': a real Redis, a real server, a free port."""

from plaudit.testing.net import free_port, free_ports
from plaudit.testing.processes import descendants, frozen, pids_with
from plaudit.testing.redis import RedisServer, redis_process, redis_server
from plaudit.testing.server import running

__all__ = [
    "RedisServer",
    "descendants",
    "free_port",
    "free_ports",
    "frozen",
    "pids_with",
    "redis_process",
    "redis_server",
    "running",
]
