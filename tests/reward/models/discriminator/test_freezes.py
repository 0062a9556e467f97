"""Freezes are leases with an owner: the end of one leaves the others as they are."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from plaudit.errors import Conflict, Rejected, Unavailable
from plaudit.schemas.discriminator import DiscriminatorFreeze
from plaudit.testing import free_port
from plaudit_reward.models.discriminator.freezes import MAX_OWNERS, PREFIX, Freezes


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    await client.delete(PREFIX + "d")
    yield client
    await client.aclose()


def by(owner: str, *, frozen: bool = True, lease_s: float | None = 60.0) -> DiscriminatorFreeze:
    return DiscriminatorFreeze(discriminator="d", owner=owner, frozen=frozen, lease_s=lease_s)


async def test_the_end_of_an_evaluation_restores_what_the_user_asked_for(redis: Redis) -> None:
    freezes = Freezes(redis)
    assert (await freezes.change(by("user", lease_s=None))).owners == ["user"]
    assert (await freezes.change(by("eval-7"))).owners == ["eval-7", "user"]
    after = await freezes.change(by("eval-7", frozen=False))
    assert (after.frozen, after.owners) == (True, ["user"])
    with pytest.raises(Conflict, match="'d' is frozen by user"):
        await freezes.refuse_if_frozen("d")
    assert not (await freezes.change(by("user", frozen=False))).frozen
    await freezes.refuse_if_frozen("d")


async def test_without_a_user_freeze_it_thaws_with_the_last_evaluation(redis: Redis) -> None:
    freezes = Freezes(redis)
    await freezes.change(by("eval-1"))
    await freezes.change(by("eval-2"))
    assert (await freezes.change(by("eval-1", frozen=False))).frozen
    assert not (await freezes.change(by("eval-2", frozen=False))).frozen
    assert not (await freezes.change(by("eval-2", frozen=False))).frozen


async def test_an_evaluation_that_died_freezes_no_longer_than_its_lease(redis: Redis) -> None:
    freezes = Freezes(redis)
    await freezes.change(by("eval", lease_s=0.2))
    assert (await freezes.state("d")).frozen
    await asyncio.sleep(0.15)
    assert (await freezes.change(by("eval", lease_s=0.3))).frozen
    await asyncio.sleep(0.15)
    assert (await freezes.state("d")).frozen
    await asyncio.sleep(0.3)
    assert not (await freezes.state("d")).frozen


async def test_owners_are_bounded(redis: Redis) -> None:
    freezes = Freezes(redis)
    for index in range(MAX_OWNERS):
        await freezes.change(by(f"o{index}"))
    with pytest.raises(Rejected, match=f"by {MAX_OWNERS} owners already"):
        await freezes.change(by("one-more"))
    await freezes.change(by("o1"))


def test_an_owner_has_a_plain_name_and_a_lease_its_bound() -> None:
    for owner in ("", "a b", "\x1b[2J", "x" * 81):
        with pytest.raises(ValidationError):
            by(owner)
    for lease_s in (0.0, -1.0, 1e9, float("inf"), float("nan")):
        with pytest.raises(ValidationError):
            by("a", lease_s=lease_s)


async def test_without_redis_nothing_is_known() -> None:
    client: Redis = Redis.from_url(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="Redis, where freezes"):
        await Freezes(client).state("d")
    await client.aclose()
