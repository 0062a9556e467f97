"""A real Redis for each test."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from plaudit.service.redis import connect


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect(redis_url) as redis:
        yield redis
