"""One retry layer over a real service that fails in every way it can."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request

from plaudit import errors
from plaudit.client import ClientOptions, RewardClient
from plaudit.config import ServiceSettings
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit.service import create_app, idempotency_key
from plaudit.testing import running

REQUEST = ScoreRequest(
    groups=[RewardGroup(group_id="g", prompt=[], completions=[Answer(text="x")])],
    rewards=[RewardSpec(name="accuracy")],
)
FAST = ClientOptions(timeout_s=10, backoff_s=0.02, max_attempts=4)
DONE: dict[str, Any] = {"groups": []}


class Behaviour:
    """What `POST /v1/score` does: raise each error in turn, then answer after `sleep_s`."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.sleep_s = 0.0
        self.calls: list[tuple[str | None, float]] = []
        self.num_now = 0
        self.num_most = 0
        self.clients: set[tuple[str, int]] = set()
        self.deadlines: list[float] = []


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(behaviour: Behaviour) -> Iterator[str]:
    app: FastAPI = create_app("reward", ServiceSettings(drain_timeout_s=0))

    @app.post("/v1/score")
    async def score(request: Request) -> dict[str, Any]:
        behaviour.calls.append((idempotency_key(request), time.monotonic()))
        behaviour.deadlines.append(float(request.headers["x-deadline-s"]))
        assert request.client is not None
        behaviour.clients.add((request.client.host, request.client.port))
        if behaviour.errors:
            raise behaviour.errors.pop(0)
        behaviour.num_now += 1
        behaviour.num_most = max(behaviour.num_most, behaviour.num_now)
        await asyncio.sleep(behaviour.sleep_s)
        behaviour.num_now -= 1
        return DONE

    with running(app) as url:
        yield url


@pytest.mark.parametrize(
    "make",
    [
        lambda: errors.Unavailable("down"),
        lambda: errors.QueueFull("full", retry_after_s=0.01),
        lambda: errors.DeadlineExceeded("slow"),
        lambda: RuntimeError("bug"),
    ],
)
async def test_what_may_succeed_later_is_tried_again_with_the_same_key(
    behaviour: Behaviour, url: str, make: Callable[[], Exception]
) -> None:
    behaviour.errors = [make() for _ in range(3)]
    async with RewardClient(url, FAST) as client:
        assert (await client.score(REQUEST)).groups == []
    keys = {key for key, _ in behaviour.calls}
    assert len(behaviour.calls) == 4
    assert len(keys) == 1
    assert None not in keys


async def test_each_call_has_a_key_of_its_own_unless_one_is_given(
    behaviour: Behaviour, url: str
) -> None:
    async with RewardClient(url, FAST) as client:
        await client.score(REQUEST)
        await client.score(REQUEST)
        await client.score(REQUEST, idempotency_key="run/0/1/score")
    keys = [key for key, _ in behaviour.calls]
    assert len(set(keys)) == 3
    assert keys[2] == "run/0/1/score"


async def test_an_unusable_key_is_refused_before_it_is_sent(behaviour: Behaviour, url: str) -> None:
    async with RewardClient(url, FAST) as client:
        with pytest.raises(errors.Rejected, match="idempotency_key"):
            await client.score(REQUEST, idempotency_key="a\nb: c")
    assert behaviour.calls == []


@pytest.mark.parametrize(
    "error",
    [
        errors.Rejected("no such reward", fix="take another."),
        errors.NotFound("gone"),
        errors.Unauthorized("who"),
        errors.Conflict("taken"),
        errors.BodyTooLarge("big"),
        errors.Corrupt("checksum"),
    ],
)
async def test_what_can_never_succeed_is_raised_at_once_as_what_it_was(
    behaviour: Behaviour, url: str, error: errors.PlauditError
) -> None:
    behaviour.errors = [error]
    async with RewardClient(url, FAST) as client:
        with pytest.raises(errors.PlauditError) as caught:
            await client.score(REQUEST)
    assert type(caught.value) is type(error)
    assert error.message in caught.value.message
    assert url in caught.value.message
    assert caught.value.fix == error.fix
    assert len(behaviour.calls) == 1


async def test_attempts_are_bounded_and_the_last_error_is_raised(
    behaviour: Behaviour, url: str
) -> None:
    behaviour.errors = [errors.QueueFull("full", retry_after_s=0.01) for _ in range(9)]
    async with RewardClient(url, FAST) as client:
        with pytest.raises(errors.QueueFull) as caught:
            await client.score(REQUEST)
    assert caught.value.retry_after_s == 0.01
    assert len(behaviour.calls) == FAST.max_attempts


async def test_the_pause_is_at_least_what_the_server_asked_for(
    behaviour: Behaviour, url: str
) -> None:
    behaviour.errors = [errors.QueueFull("full", retry_after_s=0.6)]
    async with RewardClient(url, FAST) as client:
        await client.score(REQUEST)
    (_, first), (_, second) = behaviour.calls
    assert 0.6 <= second - first < 5


async def test_a_pause_beyond_the_deadline_is_not_slept(behaviour: Behaviour, url: str) -> None:
    behaviour.errors = [errors.QueueFull("full", retry_after_s=60)]
    async with RewardClient(url, FAST) as client:
        started = time.monotonic()
        with pytest.raises(errors.QueueFull):
            await client.score(REQUEST, timeout_s=20)
    assert time.monotonic() - started < 10


async def test_the_deadline_holds_for_the_whole_call_and_names_the_peer(
    behaviour: Behaviour, url: str
) -> None:
    behaviour.errors = [errors.Unavailable("down")]
    behaviour.sleep_s = 5
    async with RewardClient(url, FAST) as client:
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await client.score(REQUEST, timeout_s=0.5)
    assert 0.4 < time.monotonic() - started < 4
    assert f"reward at {url} did not answer within timeout_s = 0.5" in str(caught.value)
    assert "down" in str(caught.value)


async def test_a_silent_attempt_is_given_up_and_made_again(behaviour: Behaviour, url: str) -> None:
    behaviour.sleep_s = 5
    options = FAST.model_copy(update={"attempt_timeout_s": 0.2, "max_attempts": 2})
    async with RewardClient(url, options) as client:
        with pytest.raises(errors.Unavailable, match=r"silent for attempt_timeout_s = 0\.2"):
            await client.score(REQUEST)
    assert len(behaviour.calls) == 2


async def test_no_more_connections_than_allowed_and_none_is_wasted(
    behaviour: Behaviour, url: str
) -> None:
    behaviour.sleep_s = 0.05
    options = FAST.model_copy(update={"max_connections": 5})
    async with RewardClient(url, options) as client:
        await asyncio.gather(*(client.score(REQUEST) for _ in range(40)))
    assert behaviour.num_most == 5
    assert len(behaviour.clients) == 5


async def test_waiting_for_a_free_connection_is_not_a_connect_timeout(
    behaviour: Behaviour, url: str
) -> None:
    behaviour.sleep_s = 0.3
    options = FAST.model_copy(
        update={"max_connections": 1, "connect_timeout_s": 0.2, "max_attempts": 1}
    )
    async with RewardClient(url, options) as client:
        answers = await asyncio.gather(*(client.score(REQUEST) for _ in range(4)))
    assert len(answers) == 4


async def test_an_idle_connection_is_used_again_until_it_is_too_old(
    behaviour: Behaviour, url: str
) -> None:
    options = FAST.model_copy(update={"keep_alive_s": 0.5})
    async with RewardClient(url, options) as client:
        await client.score(REQUEST)
        await client.score(REQUEST)
        assert len(behaviour.clients) == 1
        await asyncio.sleep(1.2)
        await client.score(REQUEST)
    assert len(behaviour.clients) == 2


async def test_cancelling_the_caller_frees_its_connection(behaviour: Behaviour, url: str) -> None:
    behaviour.sleep_s = 5
    options = FAST.model_copy(update={"max_connections": 1})
    async with RewardClient(url, options) as client:
        task = asyncio.create_task(client.score(REQUEST))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        behaviour.sleep_s = 0
        await client.score(REQUEST, timeout_s=2)


async def test_each_attempt_tells_the_time_in_which_its_answer_is_of_use(
    behaviour: Behaviour, url: str
) -> None:
    behaviour.errors = [errors.Unavailable("down", retry_after_s=0.5)]
    async with RewardClient(url, FAST) as client:
        await client.score(REQUEST, timeout_s=10)
        await client.score(REQUEST, timeout_s=100)
    first, second, longer = behaviour.deadlines
    assert 7.9 < first <= 8.0, "a fifth is left for the answer"
    assert second <= first - 0.39
    assert 97.9 < longer <= 98.0, "at most 2 s are"
