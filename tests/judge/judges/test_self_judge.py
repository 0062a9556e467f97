"""Of several engines one fails: the judge is not away, and its breaker stays closed."""

import asyncio

import pytest

from plaudit.client import ClientOptions
from plaudit.errors import Unavailable
from plaudit.schemas.common import Message
from plaudit.testing import free_port
from plaudit_judge.judges.base import Ask
from plaudit_judge.judges.policy import watch_policy
from plaudit_judge.judges.self_judge import SelfJudge, SelfSpec

from ..conftest import ChatServer, completion, policy

NUM_CALLS = 40
ASK = Ask([Message(role="user", content="p")], temperature=0.0, max_tokens=8, seed=1)


def away() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def ask_many(rollout: ChatServer, *urls: str, timeout_s: float) -> list[str]:
    """What each call ended in: its reply, or its error."""
    judge = SelfJudge("self", SelfSpec(), urls, watch_policy(rollout.url, ClientOptions()))

    async def ask() -> str:
        try:
            return (await judge.ask(ASK, timeout_s)).text
        except Unavailable as error:
            return error.message

    try:
        return await asyncio.gather(*(ask() for _ in range(NUM_CALLS)))
    finally:
        await judge.aclose()


async def test_an_engine_that_is_away_fails_over_at_no_cost_for_the_others(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 calls go to it at once, and all of them fail before the other engine answers."""
    chat.behave = lambda body: completion("Winner: response A")
    chat.delay_s = 0.2
    monkeypatch.setattr("plaudit_judge.limits.breaker._FIRST_S", 1000.0)
    monkeypatch.setattr("plaudit_judge.limits.breaker.MAX_OPEN_S", 1000.0)
    said = await ask_many(chat, away(), chat.url, timeout_s=10.0)
    assert said == ["Winner: response A"] * NUM_CALLS


async def test_when_no_engine_is_left_the_breaker_opens(chat: ChatServer) -> None:
    said = await ask_many(chat, away(), away(), timeout_s=3.0)
    assert all("circuit breaker open for" in message for message in said)


async def test_of_a_policy_that_is_an_adapter_the_one_that_serves_judges(chat: ChatServer) -> None:
    """vLLM lists it last; after the next version it has another name."""
    watch = watch_policy(chat.url, ClientOptions())
    judge = SelfJudge("self", SelfSpec(), [chat.url], watch)
    try:
        chat.behave = lambda body: completion("Winner: response A")
        for version in (1, 2):
            chat.models = ["policy", f"v{version}-0123"]
            chat.policy = policy(version)
            watch._asked_at_s = float("-inf")
            await judge.ask(ASK, 5.0)
    finally:
        await judge.aclose()
    assert [body["model"] for body in chat.asked] == ["v1-0123", "v2-0123"]
