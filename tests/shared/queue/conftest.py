"""Queues on a real Redis that is empty at the start of each test."""

from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from plaudit.queue import QueueOptions, WorkQueue

MakeQueue = Callable[..., WorkQueue]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def make_queue(redis: Redis) -> AsyncIterator[MakeQueue]:
    """`make_queue(max_jobs=3)`: each call is as good as another process."""
    made: list[WorkQueue] = []

    def make(name: str = "q", **options: float) -> WorkQueue:
        made.append(WorkQueue(redis, name, QueueOptions.model_validate(options)))
        return made[-1]

    yield make
    for queue in made:
        await queue.aclose()


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not woken sleeps on, so a wake-up that is missing cannot hide."""
    monkeypatch.setattr("plaudit.queue.queue.IDLE_S", 15.0)
    monkeypatch.setattr("plaudit.queue.waiters.POLL_S", 15.0)


@pytest.fixture
def queue(make_queue: MakeQueue) -> WorkQueue:
    return make_queue()
