"""The one retry layer of a judge: what its calls wait for, and how they fail."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from plaudit.errors import (
    BudgetExceeded,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    NotFound,
    QueueFull,
    Rejected,
    Unauthorized,
    Unavailable,
)
from plaudit_judge.judges.base import Reply
from plaudit_judge.judges.line import MAX_RETRY_AFTER_S, Line
from plaudit_judge.judges.openai import OpenAISpec
from plaudit_judge.judges.usage import MAX_TOKENS
from plaudit_judge.limits.breaker import FAILURES_TO_OPEN, MAX_OPEN_S, OtherServer
from plaudit_judge.limits.rate import Limit, LocalRate
from plaudit_judge.origin import Origin, use_origin

from ..limits.virtual_time import run_virtual

REPLY = Reply("Winner: response A", prompt_tokens=90, completion_tokens=10)
Say = Callable[[], Awaitable[Reply] | Reply]


class Endpoint:
    """Says, or raises, what `says` does; notes when it was called."""

    def __init__(self, says: Callable[[int], Reply | Exception], latency_s: float = 0.1) -> None:
        self.says = says
        self.latency_s = latency_s
        self.started_s: list[float] = []
        self.num_running = self.max_running = 0

    async def attempt(self) -> Reply:
        number = len(self.started_s)
        self.started_s.append(time.monotonic())
        self.num_running += 1
        self.max_running = max(self.max_running, self.num_running)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.num_running -= 1
        said = self.says(number)
        if isinstance(said, Exception):
            raise said
        return said


def make_line(**fields: Any) -> Line:
    return Line("j", OpenAISpec(base_url="http://x", model="m", **fields))


async def outcome(line: Line, endpoint: Endpoint, timeout_s: float) -> Reply | Exception:
    try:
        return await line.ask(timeout_s, endpoint.attempt, 100)
    except (Unavailable, Rejected) as error:
        return error


async def ask_many(
    line: Line, endpoint: Endpoint, number: int, timeout_s: float = 60.0
) -> list[Reply | Exception]:
    return await asyncio.gather(*(outcome(line, endpoint, timeout_s) for _ in range(number)))


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"plaudit_judge_{name}", {"judge": "j", **labels}) or 0.0


def test_nobody_calls_before_retry_after_not_even_those_who_were_not_refused() -> None:
    endpoint = Endpoint(lambda n: QueueFull("full", retry_after_s=7.0) if n == 0 else REPLY)

    async def play() -> list[Reply | Exception]:
        line = make_line(max_concurrency=4)
        first = asyncio.create_task(outcome(line, endpoint, 60.0))
        await asyncio.sleep(0.2)
        return [*await ask_many(line, endpoint, 20), await first]

    before = metric("waited_seconds_total", reason="retry_after")
    assert run_virtual(play()) == [REPLY] * 21
    refused_at_s = endpoint.started_s[0] + endpoint.latency_s
    assert endpoint.started_s[1] == pytest.approx(refused_at_s + 7.0)
    assert metric("waited_seconds_total", reason="retry_after") > before + 6.0


def test_an_endpoint_that_asks_for_a_day_is_asked_again_after_a_minute() -> None:
    endpoint = Endpoint(lambda n: QueueFull("full", retry_after_s=86_400.0) if n == 0 else REPLY)
    assert run_virtual(ask_many(make_line(), endpoint, 1, timeout_s=120.0)) == [REPLY]
    waited_s = endpoint.started_s[1] - endpoint.started_s[0]
    assert waited_s == pytest.approx(MAX_RETRY_AFTER_S + endpoint.latency_s)


@pytest.mark.parametrize(("pauses_s", "apart_s"), [([7.0, 1.0], 0.0), ([1.0, 7.0], 0.05)])
def test_of_two_retry_afters_the_longer_one_counts_whichever_comes_first(
    pauses_s: list[float], apart_s: float
) -> None:
    """A third call comes while both are held up, or when only the first refusal is known."""
    endpoint = Endpoint(lambda n: QueueFull("", retry_after_s=pauses_s[n]) if n < 2 else REPLY)

    async def play() -> None:
        line = make_line()
        async with asyncio.TaskGroup() as group:
            for pause_s in (apart_s, endpoint.latency_s + 0.001 - apart_s / 2, 0.0):
                group.create_task(outcome(line, endpoint, 60.0))
                await asyncio.sleep(pause_s)

    run_virtual(play())
    longer = pauses_s.index(7.0)
    assert endpoint.started_s[2] >= endpoint.started_s[longer] + endpoint.latency_s + 7.0


@pytest.mark.parametrize(
    ("num_calls", "refused_s", "timeout_s", "latency_s"), [(5, 9.0, 10.0, 0.1), (50, 90, 120, 2.0)]
)
def test_refusals_fail_no_call_that_has_time_left(
    num_calls: int, refused_s: float, timeout_s: float, latency_s: float
) -> None:
    """By then the limit is 1, and k rounds of calls answer 1 + 2 + ... + k of them."""
    started_s = []

    def says(number: int) -> Reply | Exception:
        started_s.append(time.monotonic())
        return QueueFull("full") if time.monotonic() < started_s[0] + refused_s else REPLY

    endpoint = Endpoint(says, latency_s)
    replies = run_virtual(ask_many(make_line(), endpoint, num_calls, timeout_s))
    assert replies == [REPLY] * num_calls


def test_refusals_open_no_breaker_and_cut_the_concurrency() -> None:
    limits: list[float] = []

    def says(number: int) -> Reply | Exception:
        limits.append(metric("concurrency_limit"))
        return QueueFull("full") if number < 40 else REPLY

    line = make_line(max_concurrency=20)
    assert run_virtual(ask_many(line, Endpoint(says), 60)) == [REPLY] * 60
    assert metric("breaker_open") == 0.0
    assert 1.0 <= min(limits[1:]) < 20.0 == metric("concurrency_limit"), "and it comes back"


@pytest.mark.parametrize("answer", [QueueFull("full"), Rejected("too long"), REPLY])
def test_failures_with_an_answer_of_any_kind_between_them_open_no_breaker(
    answer: Reply | Exception,
) -> None:
    # Counted as they are given: a deadline cuts calls off that never hear theirs.
    given = itertools.cycle([Unavailable("answered 500")] * (FAILURES_TO_OPEN - 1) + [answer])
    endpoint = Endpoint(lambda n: next(given))

    async def play() -> None:
        line = make_line()
        while len(endpoint.started_s) < 5 * FAILURES_TO_OPEN:
            await outcome(line, endpoint, 60.0)

    before = metric("waited_seconds_total", reason="breaker")
    run_virtual(play())
    assert metric("waited_seconds_total", reason="breaker") == before


def test_an_endpoint_that_is_away_is_probed_by_one_call_at_a_time_until_it_is_back() -> None:
    """Away for a minute: without the breaker 64 calls would come again and again."""
    began_s: list[float] = []
    probes: list[int] = []

    def says(number: int) -> Reply | Exception:
        began_s.append(time.monotonic())
        if time.monotonic() < began_s[0] + 60.0:
            if number > 64:
                probes.append(endpoint.num_running)
            return Unavailable("connection refused")
        return REPLY

    endpoint = Endpoint(says)
    line = make_line(max_concurrency=64)
    assert run_virtual(ask_many(line, endpoint, 200, timeout_s=120.0)) == [REPLY] * 200
    assert set(probes) == {0}, "besides the probe no other call ran"
    assert 60.0 / MAX_OPEN_S <= len(probes) <= 60.0 / (MAX_OPEN_S / 2) + 10
    assert metric("breaker_open") == 0.0


def test_while_the_breaker_is_open_a_call_fails_by_its_deadline_and_says_why() -> None:
    endpoint = Endpoint(lambda n: Unavailable("connection refused", fix="start it"), 0.01)

    async def play() -> list[Reply | Exception]:
        line = make_line()
        await ask_many(line, endpoint, FAILURES_TO_OPEN, timeout_s=1.0)
        return [await outcome(line, endpoint, 3.0)]

    (error,) = run_virtual(play())
    assert isinstance(error, Unavailable)
    assert not isinstance(error, DeadlineExceeded)
    assert error.retryable
    assert "judge 'j' did not answer within 3 s: circuit breaker open for" in error.message
    assert error.message.endswith("failures in a row, the last one: connection refused")
    assert error.fix == "start it"
    assert metric("breaker_open") == 1.0


def test_a_probe_that_is_given_up_leaves_the_next_one_free_to_go() -> None:
    endpoint = Endpoint(lambda n: Unavailable("away") if n < FAILURES_TO_OPEN else REPLY)

    async def play() -> Reply | Exception:
        line = make_line()
        await ask_many(line, endpoint, FAILURES_TO_OPEN, timeout_s=0.15)
        endpoint.latency_s = 1000.0
        hung = await outcome(line, endpoint, 20.0)
        assert isinstance(hung, Unavailable)
        endpoint.latency_s = 0.1
        return await outcome(line, endpoint, 20.0)

    assert run_virtual(play()) == REPLY


def test_one_server_of_several_that_fails_opens_no_breaker() -> None:
    endpoint = Endpoint(lambda n: OtherServer("engine 1 is away") if n < 50 else REPLY)
    before = metric("waited_seconds_total", reason="breaker")
    assert run_virtual(ask_many(make_line(max_concurrency=50), endpoint, 100)) == [REPLY] * 100
    assert metric("waited_seconds_total", reason="breaker") == before


@pytest.mark.parametrize("kind", [Unauthorized, Forbidden, NotFound, Conflict, BudgetExceeded])
def test_what_only_the_operator_can_mend_fails_at_once(kind: type[Rejected]) -> None:
    endpoint = Endpoint(lambda n: kind("it said no"))
    errors = run_virtual(ask_many(make_line(), endpoint, 30))
    assert all(isinstance(error, Unavailable) for error in errors)
    assert "judge 'j' cannot be used: it said no Fix: correct" in str(errors[0])
    assert len(endpoint.started_s) == 30


def test_a_call_that_is_not_answered_in_time_says_whether_something_failed() -> None:
    hung = run_virtual(ask_many(make_line(), Endpoint(lambda n: REPLY, 1000.0), 1, 5.0))[0]
    assert isinstance(hung, DeadlineExceeded)
    failing = Endpoint(lambda n: Unavailable("answered 500"))
    failed = run_virtual(ask_many(make_line(), failing, 1, 1.0))[0]
    assert type(failed) is Unavailable
    assert failed.message.endswith("failed attempts: answered 500")


def test_a_rate_is_kept_and_each_lane_has_half_of_it() -> None:
    """200 calls of eval wait for a limit of one a second; then comes one of train."""
    endpoint = Endpoint(lambda n: REPLY)

    async def play() -> float:
        line = Line("j", OpenAISpec(base_url="http://x", model="m"), LocalRate(Limit(60), None))
        with use_origin(Origin("pairwise", "eval")):
            crowd = asyncio.create_task(ask_many(line, endpoint, 200, timeout_s=1000.0))
        await asyncio.sleep(10.0)
        started_s = time.monotonic()
        with use_origin(Origin("pairwise", "train")):
            await line.ask(60.0, endpoint.attempt)
        took_s = time.monotonic() - started_s
        crowd.cancel()
        return took_s

    assert run_virtual(play()) < 3.0
    gaps_s = [b - a for a, b in zip(endpoint.started_s, endpoint.started_s[1:], strict=False)]
    assert min(gaps_s) >= 0.999


def test_the_tokens_of_a_reply_take_the_place_of_the_guess() -> None:
    class Noted(LocalRate):
        def __init__(self) -> None:
            super().__init__(None, None)
            self.settled: list[int] = []

        async def take(self, num_tokens: int) -> float:
            self.settled.append(num_tokens)
            return 0.0

        async def settle(self, num_tokens: int) -> None:
            self.settled.append(num_tokens)

    said: list[Reply | Exception] = [Unavailable("500"), REPLY, Reply("no usage")]
    endpoint = Endpoint(lambda n: said[n])

    async def play() -> None:
        line = Line("j", OpenAISpec(base_url="http://x", model="m"), rate := Noted())
        await line.ask(60.0, endpoint.attempt, 250)
        assert rate.settled == [250, 250, 100 - 250], "the failed attempt took its own"
        await line.ask(60.0, endpoint.attempt, 250)
        assert rate.settled[3:] == [250]

    run_virtual(play())


@pytest.mark.parametrize(
    "lie",
    [
        Reply("", prompt_tokens=-1),
        Reply("", completion_tokens=MAX_TOKENS + 1),
        Reply("", cached_tokens=10**400),
        Reply("", cache_write_tokens=-1),
    ],
    ids=["prompt", "completion", "cached", "cache_write"],
)
def test_a_reply_that_lies_about_its_tokens_is_garbage_and_tried_again(lie: Reply) -> None:
    endpoint = Endpoint(lambda n: REPLY if n else lie)
    line = make_line(tokens_per_minute=60_000)
    assert run_virtual(ask_many(line, endpoint, 1)) == [REPLY]
    assert endpoint.started_s[1] - endpoint.started_s[0] < 2.0


def test_seconds_spent_in_line_count_also_when_the_deadline_ends_them() -> None:
    endpoint = Endpoint(lambda n: QueueFull("full", retry_after_s=60.0))
    before = metric("waited_seconds_total", reason="retry_after")
    run_virtual(ask_many(make_line(), endpoint, 2, timeout_s=5.0))
    assert metric("waited_seconds_total", reason="retry_after") - before > 4.0
