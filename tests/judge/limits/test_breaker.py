"""When an endpoint is left alone, for how long, and what ends it."""

import asyncio
import time

from plaudit.errors import Unavailable
from plaudit_judge.limits.breaker import FAILURES_TO_OPEN, MAX_OPEN_S, Breaker

from .virtual_time import run_virtual

AWAY = Unavailable("connection refused")


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(AWAY, time.monotonic())
    return breaker


async def probe(breaker: Breaker) -> float:
    """One that fails; how long the next one has to wait."""
    await asyncio.sleep(breaker.wait_s())
    breaker.failed(AWAY, time.monotonic())
    return breaker.wait_s()


def test_the_tenth_failure_in_a_row_opens_it_and_an_answer_closes_it() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed(AWAY, time.monotonic())
    assert not breaker.is_open
    assert breaker.wait_s() == 0.0
    breaker.failed(AWAY, time.monotonic())
    assert breaker.is_open
    assert breaker.wait_s() > 0.0
    breaker.answered()
    assert not breaker.is_open
    assert breaker.wait_s() == 0.0


def test_it_is_open_for_longer_after_each_probe_up_to_a_bound_and_never_for_the_same_time() -> None:
    async def play() -> list[float]:
        breaker = opened()
        return [breaker.wait_s(), *[await probe(breaker) for _ in range(20)]]

    waits_s = run_virtual(play())
    longest_s = [min(MAX_OPEN_S, 0.5 * 2**number) for number in range(21)]
    assert all(b / 2 - 0.01 <= a <= b for a, b in zip(waits_s, longest_s, strict=True))
    assert max(waits_s[5:]) - min(waits_s[5:]) > 0.1, "half of it is random"


def test_calls_that_began_before_it_opened_tell_nothing_new() -> None:
    async def play() -> None:
        began_s = time.monotonic()
        await asyncio.sleep(1.0)
        breaker = opened()
        for _ in range(50):
            breaker.failed(Unavailable("old"), began_s)
        assert 0.0 < breaker.wait_s() <= 0.5
        assert f"after {FAILURES_TO_OPEN} failures in a row" in breaker.describe()
        assert breaker.describe().endswith("connection refused")

    run_virtual(play())


def test_it_says_how_long_it_has_been_open_whatever_probes_there_were() -> None:
    async def play() -> str:
        breaker, started_s = opened(), time.monotonic()
        for _ in range(5):
            await probe(breaker)
        await asyncio.sleep(started_s + 30.0 - time.monotonic())
        return breaker.describe()

    assert run_virtual(play()).startswith("circuit breaker open for 30.0 s, after 15 failures")


def test_an_endpoint_that_is_away_for_an_hour_is_still_probed() -> None:
    async def play() -> float:
        breaker = opened()
        for _ in range(1100):  # 2.0 ** 1024 is no float
            await probe(breaker)
        return breaker.wait_s()

    assert 0.0 < run_virtual(play()) <= MAX_OPEN_S
