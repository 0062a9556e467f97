"""Fixtures for every suite: a real Redis for the session, empty for each test."""

from collections.abc import Iterator

import pytest
import redis

from plaudit.testing.redis import redis_server


@pytest.fixture(scope="session")
def _redis_session() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def redis_url(_redis_session: str) -> Iterator[str]:
    """The URL of a real, empty Redis."""
    with redis.Redis.from_url(_redis_session) as client:
        client.flushall()
    yield _redis_session
