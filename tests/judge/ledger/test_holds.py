"""What is admitted is held: however many ask at once, no budget is given out twice."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from plaudit_judge.ledger.costs import NANO, SPENT
from plaudit_judge.ledger.holds import Budget, Hold, let_go, read_nano_usd, take

RUN = Budget("run_budget_usd", 1.0, "run")
KEY = Budget("keys.acme.budget_usd", 1.5, "key")


def hold(
    job_id: str, usd: float, budgets: Sequence[Budget] = (RUN,), ends_after_s: int = 100
) -> Hold:
    return Hold(job_id, round(usd * NANO), budgets, ends_after_s)


async def is_taken(redis: Redis, *holds: Hold) -> list[bool]:
    return [await take(redis, one) is None for one in holds]


async def end(redis: Redis, hold: Hold) -> None:
    async with redis.pipeline() as pipeline:
        let_go(pipeline, hold)
        await pipeline.execute()


async def held_usd(redis: Redis, budget: Budget = RUN) -> float:
    return (await read_nano_usd(redis, budget))[1] / NANO


async def test_what_is_held_counts_until_it_is_let_go(redis: Redis) -> None:
    assert await is_taken(redis, hold("1", 0.4), hold("2", 0.6), hold("3", 0.1)) == [
        True, True, False,
    ]  # fmt: skip
    await end(redis, hold("1", 0.4))
    assert await is_taken(redis, hold("3", 0.1)) == [True]
    assert await held_usd(redis) == pytest.approx(0.7)


async def test_the_refusal_says_what_is_spent_and_held(redis: Redis) -> None:
    await redis.hincrby(RUN.costs, SPENT, 500_000_000)
    await is_taken(redis, hold("1", 0.25))
    full = await take(redis, hold("2", 0.3))
    assert full is not None
    assert (full.budget, full.spent_nano_usd, full.held_nano_usd) == (RUN, 5 * 10**8, 25 * 10**7)


async def test_a_job_is_held_once_however_often_it_is_taken(redis: Redis) -> None:
    assert await is_taken(redis, *[hold("1", 0.8)] * 3) == [True] * 3
    assert await held_usd(redis) == 0.8
    await end(redis, hold("1", 0.8))
    await end(redis, hold("1", 0.8))
    assert await held_usd(redis) == 0.0


async def test_a_job_that_is_held_stays_so_when_the_budget_is_spent(redis: Redis) -> None:
    await is_taken(redis, hold("1", 0.8))
    await redis.hincrby(RUN.costs, SPENT, 9 * NANO)
    assert await is_taken(redis, hold("1", 0.8), hold("2", 0.0001)) == [True, False]


async def test_every_budget_must_have_room_or_nothing_is_held(redis: Redis) -> None:
    both = (KEY, RUN)
    assert await is_taken(redis, hold("1", 0.9, both), hold("2", 0.2, both)) == [True, False]
    assert [await held_usd(redis, budget) for budget in both] == [0.9, 0.9]


async def test_a_thousand_at_once_get_no_more_than_there_is(redis: Redis) -> None:
    taken = await asyncio.gather(*(is_taken(redis, hold(f"j{n}", 0.1)) for n in range(1000)))
    assert sum(one for [one] in taken) == 10


async def test_a_hold_that_nobody_lets_go_ends(redis: Redis) -> None:
    await is_taken(redis, hold("lost", 0.8), hold("alive", 0.1))
    [holds] = await redis.keys("*holds*")
    await redis.zadd(holds, {hold("lost", 0.8).member: 1.0})
    assert await is_taken(redis, hold("next", 0.9)) == [True]
    assert await held_usd(redis) == 1.0


async def test_holds_of_different_length_end_each_in_its_time(redis: Redis) -> None:
    await is_taken(redis, hold("long", 0.4, ends_after_s=10_000), hold("short", 0.4))
    [holds], [held] = await redis.keys("*holds*"), await redis.keys("*held*")
    assert [await redis.ttl(key) > 9_000 for key in (holds, held)] == [True, True]
    assert await redis.zscore(holds, hold("short", 0.4).member) < time.time() + 200


async def test_large_sums_are_exact(redis: Redis) -> None:
    large = Budget("run_budget_usd", 1_000_000.0, "large")
    await redis.hincrby(large.costs, SPENT, 999_999 * NANO + 1)
    full = await take(redis, hold("1", 1.0, [large]))
    assert full is not None
    assert full.spent_nano_usd == 999_999 * NANO + 1
    assert await is_taken(redis, Hold("2", NANO - 1, [large], 100)) == [True]
