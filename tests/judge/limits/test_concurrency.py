"""How fast an endpoint is driven that takes so many calls at once and refuses the others."""

import asyncio
import time
from collections.abc import Callable

import pytest

from plaudit.errors import QueueFull
from plaudit_judge.judges.base import Reply
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.openai import OpenAISpec
from plaudit_judge.limits.concurrency import AdaptiveConcurrency

from .virtual_time import run_virtual

LATENCY_S = 0.2
REFUSAL_S = 0.002


class Endpoint:
    def __init__(self, max_calls: int) -> None:
        self.max_calls = max_calls
        self.num_running = self.num_refused = self.num_answered = 0

    async def attempt(self) -> Reply:
        await asyncio.sleep(REFUSAL_S)
        if self.num_running >= self.max_calls:
            self.num_refused += 1
            raise QueueFull("too many calls")
        self.num_running += 1
        try:
            await asyncio.sleep(LATENCY_S)
        finally:
            self.num_running -= 1
        self.num_answered += 1
        return Reply("Winner: response A")


def line(max_concurrency: int) -> Line:
    spec = OpenAISpec(base_url="http://x", model="m", max_concurrency=max_concurrency)
    return Line("j", spec)


async def drive(endpoint: Endpoint, lines: list[Line], num_calls: int, num_callers: int) -> float:
    """Calls per second of `num_callers` that share out the calls among them."""
    started_s, left = time.monotonic(), iter(range(num_calls))

    async def call(line: Line) -> None:
        for _ in left:
            await line.ask(60.0, endpoint.attempt)

    await asyncio.gather(*(call(lines[i % len(lines)]) for i in range(num_callers)))
    return num_calls / (time.monotonic() - started_s)


@pytest.mark.parametrize(("num_workers", "max_concurrency"), [(1, 64), (1, 128), (2, 64)])
def test_at_least_nine_tenths_of_the_ceiling_and_no_call_fails(
    num_workers: int, max_concurrency: int
) -> None:
    endpoint = Endpoint(max_calls=64)
    lines = [line(max_concurrency) for _ in range(num_workers)]
    num_callers = num_workers * max_concurrency
    per_s = run_virtual(drive(endpoint, lines, 4096, num_callers))
    assert per_s >= 0.9 * 64 / LATENCY_S
    assert endpoint.num_answered == 4096
    assert endpoint.num_refused < 0.1 * 4096


def test_an_endpoint_that_takes_one_call_at_a_time_is_found_out_and_answers_all() -> None:
    endpoint, narrow = Endpoint(max_calls=1), line(64)
    per_s = run_virtual(drive(endpoint, [narrow], 200, 64))
    assert endpoint.num_answered == 200
    assert per_s >= 0.7 / LATENCY_S


def found(events: Callable[[AdaptiveConcurrency], None], maximum: int = 100) -> int:
    concurrency = AdaptiveConcurrency(maximum)
    events(concurrency)
    return concurrency.limit


def test_refusals_of_calls_made_before_the_limit_fell_count_once() -> None:
    def burst(concurrency: AdaptiveConcurrency) -> None:
        started_s = time.monotonic()
        for _ in range(50):
            concurrency.refused(started_s)

    assert found(burst) == 95


def test_the_limit_stays_between_one_and_the_maximum() -> None:
    def refused(concurrency: AdaptiveConcurrency) -> None:
        for _ in range(500):
            concurrency.refused(time.monotonic())

    def answered(concurrency: AdaptiveConcurrency) -> None:
        for _ in range(500):
            concurrency.answered()

    assert found(refused) == 1
    assert found(answered) == 100


def test_a_round_of_answers_allows_one_call_more() -> None:
    def events(concurrency: AdaptiveConcurrency) -> None:
        concurrency.refused(time.monotonic())
        for _ in range(96):
            concurrency.answered()

    assert found(events) == 96
