"""Requests and tokens per minute, of one process and of several that share them in Redis."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from plaudit.schemas.common import Message
from plaudit.testing import free_port
from plaudit_judge.limits import shared_rate
from plaudit_judge.limits.rate import Limit, LocalRate, Rate, estimate_tokens
from plaudit_judge.limits.shared_rate import SharedRate

from .virtual_time import run_virtual


async def take(rate: Rate, num_tokens: int) -> float:
    """Waits as long as it takes; when the call started."""
    while (wait_s := await rate.take(num_tokens)) > 0.0:
        await asyncio.sleep(wait_s)
    return time.monotonic()


async def waits_s(rate: Rate, num_tokens: int, number: int) -> list[float]:
    return [await rate.take(num_tokens) for _ in range(number)]


def most_in_a_minute(starts_s: list[float], costs: list[int]) -> int:
    return max(
        sum(cost for s, cost in zip(starts_s, costs, strict=True) if 0 <= s - first_s < 59.999)
        for first_s in starts_s
    )


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 200),
    st.lists(st.floats(0.0, 3.0) | st.just(0.0), min_size=2, max_size=80),
)
def test_no_minute_sees_more_requests_than_the_limit_and_a_second_of_it(
    per_minute: int, pauses_s: list[float]
) -> None:
    async def play() -> list[float]:
        rate, starts_s = LocalRate(Limit(per_minute), None), []
        for pause_s in pauses_s:
            await asyncio.sleep(pause_s)
            starts_s.append(await take(rate, 0))
        return starts_s

    starts_s = run_virtual(play())
    assert most_in_a_minute(starts_s, [1] * len(starts_s)) <= per_minute + per_minute // 60 + 1


@settings(max_examples=30, deadline=None)
@given(st.integers(100, 10_000), st.lists(st.integers(0, 3000), min_size=2, max_size=60))
def test_no_minute_sees_more_tokens_than_the_limit_a_second_of_it_and_one_call(
    per_minute: int, calls: list[int]
) -> None:
    async def play() -> list[float]:
        rate = LocalRate(None, Limit(per_minute))
        return [await take(rate, num_tokens) for num_tokens in calls]

    most = most_in_a_minute(run_virtual(play()), calls)
    assert most <= per_minute * (1 + 1 / 60) + max(calls)


def test_a_limit_is_used_up_when_there_is_enough_to_do() -> None:
    async def play() -> float:
        rate, started_s = LocalRate(Limit(600), Limit(60_000)), time.monotonic()
        for _ in range(600):
            await take(rate, 100)
        return time.monotonic() - started_s

    assert 57.0 <= run_virtual(play()) <= 60.0


def test_tokens_that_were_not_used_are_given_back_and_others_are_taken() -> None:
    async def play(settled: int) -> float:
        rate, started_s = LocalRate(None, Limit(6000)), time.monotonic()
        await take(rate, 1000)
        await rate.settle(settled)
        return await take(rate, 0) - started_s

    assert run_virtual(play(0)) == pytest.approx(9.0, abs=0.02)
    assert run_virtual(play(-900)) == pytest.approx(0.0, abs=0.02)
    assert run_virtual(play(+500)) == pytest.approx(14.0, abs=0.02)


def test_what_was_not_used_is_not_saved_up() -> None:
    async def play() -> list[float]:
        rate = LocalRate(Limit(120), Limit(120))
        assert await waits_s(rate, 1, 2) == [0.0, 0.0]
        await rate.settle(-2)
        await asyncio.sleep(3600.0)
        return await waits_s(rate, 1, 3)

    assert run_virtual(play()) == pytest.approx([0.0, 0.0, 0.5], abs=0.01)


def test_an_endpoint_that_lies_about_its_tokens_stops_the_judge_for_a_minute_at_most() -> None:
    async def play() -> float:
        rate, started_s = LocalRate(None, Limit(6000)), time.monotonic()
        await rate.settle(10**7)
        return await take(rate, 0) - started_s

    assert run_virtual(play()) == pytest.approx(59.0, abs=0.02)


def test_the_estimate_is_a_token_for_four_characters_and_all_that_may_be_written() -> None:
    messages = [Message(role="system", content="x" * 100), Message(role="user", content="y" * 300)]
    assert estimate_tokens(messages, 50) == 150


async def test_workers_of_a_judge_share_its_limits_and_other_judges_have_their_own(
    redis_url: str,
) -> None:
    redis = Redis.from_url(redis_url)
    limits = (Limit(300), Limit(60_000))
    one, two = SharedRate(redis, "shared", *limits), SharedRate(redis, "shared", *limits)
    other = SharedRate(redis, "other", *limits)
    taken = [await rate.take(10) for _ in range(3) for rate in (one, two)]
    assert taken[:5] == [0.0] * 5, "a second's worth at once"
    assert 0.0 < taken[5] <= 0.2
    await asyncio.sleep(taken[5] + 0.001)
    assert await one.take(10) == 0.0, "that was how long"
    assert await other.take(2000) == 0.0
    assert 60_500 < await redis.pttl("plaudit:judge:rate:other") <= 62_001
    assert 0.5 < await other.take(1) <= 1.1
    await other.settle(-2000)
    assert await other.take(1) == 0.0
    await other.settle(10**7)
    assert 50.0 < await other.take(1) <= 60.0
    await redis.aclose()


async def test_what_workers_did_not_use_is_not_saved_up(redis_url: str) -> None:
    redis = Redis.from_url(redis_url)
    rate, an_hour_ago_ms = SharedRate(redis, "j", Limit(60), None), 1000.0 * (time.time() - 3600.0)
    await redis.hset("plaudit:judge:rate:j", "requests", str(an_hour_ago_ms))
    assert await rate.take(0) == 0.0
    assert 0.5 < await rate.take(0) <= 1.0
    await redis.aclose()


async def test_redis_that_hangs_is_waited_for_once_and_asked_again_after_a_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_rate, "_ANSWER_S", 0.05)
    monkeypatch.setattr(shared_rate, "_REST_S", 0.2)
    callers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1")
    redis = Redis.from_url(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    rate = SharedRate(redis, "j", Limit(60), None)
    assert await rate.take(0) == 0.0
    assert 0.0 < await rate.take(0) <= 1.0
    assert len(callers) == 1
    await asyncio.sleep(0.2)
    assert await rate.take(0) > 0.0
    assert len(callers) == 2
    for writer in callers:
        writer.close()
    server.close()
    await redis.aclose()


async def test_without_redis_each_worker_keeps_the_limits_by_itself() -> None:
    redis = Redis.from_url(f"redis://127.0.0.1:{free_port()}")
    rate = SharedRate(redis, "j", Limit(120), Limit(600_000))
    started_s = time.monotonic()
    assert await rate.take(10) == await rate.take(10) == 0.0
    assert 0.0 < await rate.take(10) <= 0.5
    await rate.settle(600_000)
    assert await rate.take(10) > 50.0
    assert time.monotonic() - started_s < 1.0
    await redis.aclose()
