"""Archives in a real Redis, as several workers see them at once."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from plaudit.errors import Corrupt, Rejected, Unavailable
from plaudit.service.redis import connect
from plaudit.testing import RedisServer, redis_process
from plaudit_reward.archive.archives import Archive, Archives
from plaudit_reward.archive.entry import Entry, member_of
from plaudit_reward.archive.limits import ArchiveLimits

DIMENSIONS = 8
KEY = "plaudit:reward:archive:a:hashed:8"
LIMITS = {"max_entries": 1000, "max_bytes": 2**20, "max_archives": 3, "ttl_s": 100.0}


def entry(text: str, prompt: int = 0) -> Entry:
    random = np.random.default_rng(list(text.encode()))
    embedding = random.normal(size=DIMENSIONS).astype(np.float32)
    return Entry(member_of("g", 0, text), prompt, embedding / np.linalg.norm(embedding))


@pytest.fixture
async def workers(redis_url: str) -> AsyncIterator[Callable[..., Archives]]:
    """`workers(max_entries=3)`: the archives as one more worker sees them."""
    async with AsyncExitStack() as stack:

        def add(url: str = redis_url, **limits: Any) -> Archives:
            redis = connect(url)
            stack.push_async_callback(redis.aclose)
            return Archives(redis, ArchiveLimits(**(LIMITS | limits)))

        yield add


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    async with Redis.from_url(redis_url) as found:
        yield found


async def holds(archive: Archive, *texts: str) -> bool:
    """Whether it holds these and no others, as far as one can see from outside."""
    for text in texts:
        if not np.allclose(await nearest(archive, text), entry(text).embedding, atol=1e-3):
            return False
    return len(archive) == len(texts)


async def nearest(archive: Archive, text: str, **more: Any) -> Any:
    options = {"count": 1, "prompt": None, "without": []} | more
    found = await archive.nearest(entry(text).embedding[None], **options)
    return None if found is None else found[0]


async def test_all_workers_find_what_one_has_appended(workers: Any) -> None:
    first, second = (workers().get("a", "hashed", DIMENSIONS) for _ in range(2))
    assert await nearest(first, "x") is None
    await first.append([entry("x"), entry("y")])
    await second.append([entry("z")])
    assert await holds(first, "x", "y", "z")
    assert await holds(second, "x", "y", "z")


async def test_the_same_completion_is_there_once(workers: Any) -> None:
    archive = workers().get("a", "hashed", DIMENSIONS)
    for _ in range(3):
        await archive.append([entry("x"), entry("y"), entry("x")])
    assert await holds(archive, "x", "y")


async def test_the_oldest_make_room(workers: Any, redis: Redis) -> None:
    first, second = (workers(max_entries=3).get("a", "hashed", DIMENSIONS) for _ in range(2))
    await first.append([entry("1"), entry("2"), entry("3")])
    assert await holds(second, "1", "2", "3")
    await first.append([entry("4"), entry("5")])
    assert await holds(second, "3", "4", "5")
    await first.append([entry("1")])
    assert await holds(second, "4", "5", "1")
    assert await redis.scard(f"{KEY}:members") == 3


async def test_bytes_are_bounded_as_well(workers: Any) -> None:
    archive = workers(max_bytes=2 * (24 + 2 * DIMENSIONS)).get("a", "hashed", DIMENSIONS)
    await archive.append([entry("1"), entry("2"), entry("3")])
    assert await holds(archive, "2", "3")


async def test_workers_that_append_at_once_lose_and_double_nothing(
    workers: Any, redis: Redis
) -> None:
    archives = [workers().get("a", "hashed", DIMENSIONS) for _ in range(4)]

    async def append(archive: Archive, start: int) -> None:
        for number in range(start, start + 50, 5):
            await archive.append([entry(str(one)) for one in range(number, number + 10)])
            await nearest(archive, "x")

    await asyncio.gather(*(append(one, 20 * index) for index, one in enumerate(archives)))
    stored = Counter(fields[b"e"][:16] for _, fields in await redis.xrange(KEY))
    assert stored == Counter(entry(str(one)).member for one in range(115))
    for archive in archives:
        assert await nearest(archive, "x") is not None
        assert len(archive) == 115


async def test_embeddings_of_different_kinds_are_never_in_one_archive(workers: Any) -> None:
    archives = workers()
    await archives.get("a", "hashed", DIMENSIONS).append([entry("x")])
    for other in (("b", "hashed", 8), ("a", "other", 8), ("a", "hashed", 8 + 1)):
        found = await archives.get(*other).nearest(np.ones((1, other[2]), np.float32), 1, None, [])
        assert found is None


async def test_one_prompt_alone_can_be_looked_at(workers: Any) -> None:
    archive = workers().get("a", "hashed", DIMENSIONS)
    await archive.append([entry("x", prompt=1), entry("y", prompt=2)])
    found = await nearest(archive, "x", prompt=2)
    assert np.allclose(found, entry("y").embedding, atol=1e-3)
    assert await nearest(archive, "x", prompt=3) is None


async def test_there_are_only_so_many_archives(workers: Any, redis: Redis) -> None:
    archives = workers(max_archives=2)
    for name in ("a", "b"):
        await archives.get(name, "hashed", DIMENSIONS).append([entry("x")])
    with pytest.raises(Rejected, match="archive = 'c' would be one more than max_archives = 2"):
        await archives.get("c", "hashed", DIMENSIONS).append([entry("x")])
    await archives.get("a", "hashed", DIMENSIONS).append([entry("y")])
    await redis.delete(KEY)
    await archives.get("c", "hashed", DIMENSIONS).append([entry("x")])
    assert len(archives._met) == 2


async def test_a_deleted_archive_is_empty_and_can_be_filled_again(
    workers: Any, redis: Redis
) -> None:
    archive = workers().get("a", "hashed", DIMENSIONS)
    await archive.append([entry("x")])
    assert await holds(archive, "x")
    await redis.delete(KEY)
    assert await nearest(archive, "x") is None
    await archive.append([entry("x"), entry("y")])
    assert await holds(archive, "x", "y")


async def test_what_redis_has_lost_is_forgotten(workers: Any, redis: Any) -> None:
    """As after a power cut, which costs Redis its last second."""
    archive, other = (workers().get("a", "hashed", DIMENSIONS) for _ in range(2))
    await archive.append([entry("1"), entry("2"), entry("3")])
    assert await holds(archive, "1", "2", "3")
    [(newest, _)] = await redis.xrevrange(KEY, count=1)
    await redis.xdel(KEY, newest)
    await redis.srem(f"{KEY}:members", entry("3").member)
    await other.append([entry("4")])
    assert await holds(archive, "1", "2", "4")
    await other.append([entry("3")])
    assert await holds(archive, "1", "2", "4", "3")


async def test_an_archive_that_nobody_adds_to_goes(workers: Any, redis: Redis) -> None:
    await workers(ttl_s=50.0).get("a", "hashed", DIMENSIONS).append([entry("x")])
    for key in (KEY, f"{KEY}:members"):
        assert 45_000 < await redis.pttl(key) <= 50_000


async def test_what_is_no_entry_is_said_to_be_none(workers: Any, redis: Redis) -> None:
    await redis.xadd(KEY, {"e": b"garbage"})
    with pytest.raises(Corrupt, match="7 bytes"):
        await nearest(workers().get("a", "hashed", DIMENSIONS), "x")


async def test_many_entries_are_read_page_by_page(
    workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plaudit_reward.archive.store.PAGE_BYTES", 3 * (24 + 2 * DIMENSIONS))
    await workers().get("a", "hashed", DIMENSIONS).append([entry(str(i)) for i in range(20)])
    assert await holds(
        workers().get("a", "hashed", DIMENSIONS), *(str(number) for number in range(20))
    )


@pytest.fixture
def server() -> Any:
    with redis_process(appendonly=True) as found:
        yield found


async def test_it_survives_a_restart_of_redis(workers: Any, server: RedisServer) -> None:
    archive = workers(server.url).get("a", "hashed", DIMENSIONS)
    await archive.append([entry("x")])
    server.restart()
    await archive.append([entry("x"), entry("y")])
    assert await holds(archive, "x", "y")
    assert await holds(workers(server.url).get("a", "hashed", DIMENSIONS), "x", "y")


async def test_redis_away_is_unavailable_and_soon(
    workers: Any, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plaudit_reward.archive.store.RECONNECT_S", 0.2)
    archive = workers(server.url).get("a", "hashed", DIMENSIONS)
    await archive.append([entry("x")])
    server.kill()
    async with asyncio.timeout(8):
        with pytest.raises(Unavailable, match=r"archive 'a'.*redis_url"):
            await archive.append([entry("y")])
        with pytest.raises(Unavailable):
            await nearest(archive, "x")


async def test_a_large_archive_is_searched_in_milliseconds(workers: Any) -> None:
    archive = workers(max_entries=5000).get("a", "hashed", DIMENSIONS)
    await archive.append([entry(str(number)) for number in range(5000)])
    await nearest(archive, "x")
    started_s = os.times().user
    for _ in range(10):
        await nearest(archive, "x")
    assert os.times().user - started_s < 1.0
