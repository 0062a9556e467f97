"""What is known of a request before all of it is, over a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from plaudit.testing import redis_process
from plaudit_reward import partial
from plaudit_reward.partial import Partials
from plaudit_reward.wire import Found, Value


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "EVERY_S", 0.02)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def fill(found: Found, release: asyncio.Event) -> str:
    found[0]["quick"] = [1.0, 0.0]
    await release.wait()
    found[0]["slow"] = [0.5, 0.5]
    return "done"


async def until_shown(partials: Partials, job_id: str) -> list[dict[str, list[Value]]]:
    async with asyncio.timeout(10):
        while (shown := await partials.get(job_id)) is None:
            await asyncio.sleep(0.01)
    return shown.groups


async def test_what_is_there_of_a_long_request_is_shown(redis: Redis) -> None:
    partials, release = Partials(redis, "rules", 60.0), asyncio.Event()
    found: Found = [{}, {}]
    working = asyncio.create_task(partials.showing("job", found, fill(found, release)))
    assert await until_shown(partials, "job") == [{"quick": [1.0, 0.0]}, {}]
    assert await Partials(redis, "code", 60.0).get("job") is None
    release.set()
    assert await working == "done"


async def test_a_request_that_is_done_soon_leaves_nothing(redis: Redis) -> None:
    partials, release = Partials(redis, "rules", 60.0), asyncio.Event()
    found: Found = [{}]
    release.set()
    assert await partials.showing("job", found, fill(found, release)) == "done"
    assert await redis.keys() == []


async def test_what_was_shown_goes_with_time(redis: Redis) -> None:
    partials, release = Partials(redis, "rules", 0.2), asyncio.Event()
    found: Found = [{}]
    working = asyncio.create_task(partials.showing("job", found, fill(found, release)))
    await until_shown(partials, "job")
    async with asyncio.timeout(10):
        while await partials.get("job") is not None:
            await asyncio.sleep(0.02)
    release.set()
    await working


async def test_without_redis_the_work_is_done_all_the_same() -> None:
    with redis_process() as server:
        async with Redis.from_url(server.url) as redis:
            server.kill()
            partials, release = Partials(redis, "rules", 60.0), asyncio.Event()
            found: Found = [{}]
            working = asyncio.create_task(partials.showing("job", found, fill(found, release)))
            await asyncio.sleep(0.2)
            assert await partials.get("job") is None
            release.set()
            assert await working == "done"


async def test_giving_up_ends_the_work(redis: Redis) -> None:
    partials, ended = Partials(redis, "rules", 60.0), asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await partials.showing("job", [{}], hang())
    await asyncio.wait_for(ended.wait(), 5)
