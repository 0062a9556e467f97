"""Judges against a server that fails in every way, over the real wire."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from pydantic import SecretStr, ValidationError

from plaudit.client import ClientOptions
from plaudit.errors import ConfigError, Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.testing import free_port
from plaudit_judge.judges.base import Ask
from plaudit_judge.judges.make import describe_judge, make_judge
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.judges.policy import watch_policy
from plaudit_judge.judges.self_judge import SelfJudge, SelfSpec
from plaudit_judge.settings import JudgeSettings

from .conftest import Behaviour, ChatServer, completion, error, policy, second_chat_server

ASK = Ask([Message(role="user", content="Judge: p\nA: 1\nB: 2")], 0.0, 12, 7)
SELF_SPEC = SelfSpec(timeout_s=30.0)


def openai_judge(chat: ChatServer, key: str | None = None, **fields: Any) -> OpenAIJudge:
    spec = OpenAISpec(base_url=chat.base_url, model="policy-model", **fields)
    return OpenAIJudge("local", spec, SecretStr(key) if key else None)


def self_judge(rollout_url: str, *engine_urls: str) -> SelfJudge:
    return SelfJudge("self", SELF_SPEC, engine_urls, watch_policy(rollout_url, ClientOptions()))


def failing_first(num_failures: int, failure: Behaviour) -> Behaviour:
    left = [num_failures]

    def behave(body: dict[str, Any]) -> Any:
        left[0] -= 1
        return failure(body) if left[0] >= 0 else completion("Winner: response B")

    return behave


async def drop_connection(body: dict[str, Any]) -> web.StreamResponse:
    raise asyncio.CancelledError


def truncated_json(body: dict[str, Any]) -> web.Response:
    whole = completion("Winner: response A").body
    assert isinstance(whole, bytes)
    return web.Response(body=whole[:40], content_type="application/json")


async def hang(body: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(5.0)
    return completion("Winner: response A")


FAILURES: dict[str, Behaviour] = {
    "500": lambda body: error(500),
    "502 from a proxy": lambda body: web.Response(status=502, text="<html>Bad gateway</html>"),
    "529": lambda body: error(529, "overloaded"),
    "429": lambda body: error(429, "slow down"),
    "not json": lambda body: web.Response(text="Winner: response A"),
    "truncated json": truncated_json,
    "no choices": lambda body: web.json_response({"choices": [], "usage": None}),
    "other json": lambda body: web.json_response(["Winner: response A"]),
    "dropped connection": drop_connection,
    "hang": hang,
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_that_passes_is_tried_again(chat: ChatServer, failure: Behaviour) -> None:
    chat.behave = failing_first(1, failure)
    judge = openai_judge(chat, timeout_s=0.5 if failure is hang else 30.0)
    reply = await judge.ask(ASK, 30.0)
    assert reply.text == "Winner: response B"
    assert len(chat.asked) == 2 or failure is hang
    await judge.aclose()


@pytest.mark.parametrize("name", ["500", "429", "not json", "dropped connection", "hang"])
async def test_a_failure_that_stays_is_unavailable_and_never_a_verdict(
    chat: ChatServer, name: str
) -> None:
    chat.behave = FAILURES[name]
    judge = openai_judge(chat, timeout_s=0.3)
    started_s = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await judge.ask(ASK, 1.0)
    assert caught.value.retryable
    assert time.monotonic() - started_s < 5.0
    assert len(chat.asked) >= 2
    await judge.aclose()


async def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    spec = OpenAISpec(base_url=f"http://127.0.0.1:{port}/v1", model="m")
    judge = OpenAIJudge("gone", spec, None)
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}") as caught:
        await judge.ask(ASK, 0.5)
    assert "settings of the judge service" in (caught.value.fix or "")
    await judge.aclose()


async def test_retry_after_is_honoured(chat: ChatServer) -> None:
    chat.behave = failing_first(1, lambda body: error(429, "slow down", retry_after="1"))
    judge = openai_judge(chat)
    started_s = time.monotonic()
    assert (await judge.ask(ASK, 30.0)).text == "Winner: response B"
    assert time.monotonic() - started_s >= 1.0
    await judge.aclose()


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_question_is_not_asked_again(chat: ChatServer, status: int) -> None:
    chat.behave = lambda body: error(status, "context too long")
    judge = openai_judge(chat)
    with pytest.raises(Rejected):
        await judge.ask(ASK, 30.0)
    assert len(chat.asked) == 1
    await judge.aclose()


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_a_wrong_key_or_model_or_an_empty_account_is_the_operators_fault_and_found_at_once(
    chat: ChatServer, status: int
) -> None:
    chat.behave = lambda body: error(status, "no")
    judge = openai_judge(chat)
    with pytest.raises(Unavailable, match=r"judge 'local' cannot be used.*\[judge.judges.local\]"):
        await judge.ask(ASK, 30.0)
    assert len(chat.asked) == 1
    await judge.aclose()


async def test_the_key_goes_out_as_bearer_and_into_no_error(chat: ChatServer) -> None:
    chat.behave = lambda body: error(401, "bad key")
    judge = openai_judge(chat, key="sk-very-secret")
    with pytest.raises(Unavailable) as caught:
        await judge.ask(ASK, 1.0)
    assert chat.headers[0]["Authorization"] == "Bearer sk-very-secret"
    assert "sk-very-secret" not in f"{caught.value!r} {caught.value}"
    await judge.aclose()


async def test_of_an_endless_reply_the_end_is_kept(chat: ChatServer) -> None:
    chat.behave = lambda body: completion("x" * 200_000 + "Winner: response B")
    judge = openai_judge(chat)
    reply = await judge.ask(ASK, 30.0)
    assert len(reply.text) == 100_000
    assert reply.text.endswith("Winner: response B")
    await judge.aclose()


async def test_a_reply_without_usage_is_a_reply(chat: ChatServer) -> None:
    chat.behave = lambda body: completion("Winner: response B", usage=None)
    judge = openai_judge(chat)
    reply = await judge.ask(ASK, 30.0)
    assert (reply.prompt_tokens, reply.completion_tokens) == (0, 0)
    await judge.aclose()


def calls(judge: str, outcome: str) -> float:
    labels = {"judge": judge, "outcome": outcome}
    return REGISTRY.get_sample_value("plaudit_judge_calls_total", labels) or 0.0


async def test_attempts_are_counted_by_outcome(chat: ChatServer) -> None:
    before = calls("local", "ok"), calls("local", "unavailable")
    chat.behave = failing_first(2, FAILURES["500"])
    judge = openai_judge(chat)
    await judge.ask(ASK, 30.0)
    assert calls("local", "ok") == before[0] + 1
    assert calls("local", "unavailable") == before[1] + 2
    await judge.aclose()


@pytest.fixture
def other(chat: ChatServer) -> Iterator[ChatServer]:
    with second_chat_server() as server:
        yield server


async def test_self_finds_its_model_and_notes_the_policy_version(chat: ChatServer) -> None:
    chat.policy = policy(3, None)
    judge = self_judge(chat.url, chat.url)
    reply = await judge.ask(ASK, 30.0)
    assert reply.policy_version == 3
    assert chat.asked[0]["model"] == "policy-model"
    assert chat.asked[0]["cache_salt"] == "run7:3"
    await judge.aclose()


async def test_engines_at_different_versions_share_no_salt_with_either(chat: ChatServer) -> None:
    chat.policy = policy(3, 4)
    judge = self_judge(chat.url, chat.url)
    assert (await judge.ask(ASK, 30.0)).policy_version is None
    assert chat.asked[0]["cache_salt"] == "run7:3,4"
    await judge.aclose()


async def test_without_a_rollout_api_the_version_is_unknown(chat: ChatServer) -> None:
    judge = self_judge(f"http://127.0.0.1:{free_port()}", chat.url)
    assert (await judge.ask(ASK, 30.0)).policy_version is None
    assert "cache_salt" not in chat.asked[0]
    await judge.aclose()


async def test_the_policy_is_asked_for_once_a_second(chat: ChatServer) -> None:
    chat.policy = policy(3)
    judge = self_judge(chat.url, chat.url)
    started_s = time.monotonic()
    await asyncio.gather(*(judge.ask(ASK, 30.0) for _ in range(50)))
    assert 1 <= chat.num_policy_asked <= 1 + (time.monotonic() - started_s)
    chat.policy = policy(4)
    await asyncio.sleep(1.1)
    assert (await judge.ask(ASK, 30.0)).policy_version == 4
    await judge.aclose()


async def test_engines_take_turns(chat: ChatServer, other: ChatServer) -> None:
    judge = self_judge(chat.url, chat.url, other.url)
    for _ in range(10):
        await judge.ask(ASK, 30.0)
    assert (len(chat.asked), len(other.asked)) == (5, 5)
    await judge.aclose()


async def test_an_engine_that_is_down_is_tried_once_and_then_passed_over(
    chat: ChatServer,
) -> None:
    judge = self_judge(chat.url, chat.url, f"http://127.0.0.1:{free_port()}")
    failed = calls("self", "unavailable")
    for _ in range(20):
        await judge.ask(ASK, 30.0)
    assert len(chat.asked) == 20
    # Each two seconds it gets another chance; the 20 calls must not meet it 10 times.
    assert failed < calls("self", "unavailable") <= failed + 3
    await judge.aclose()


async def test_an_engine_that_restarts_under_another_name_is_found_again(chat: ChatServer) -> None:
    judge = self_judge(chat.url, chat.url)
    await judge.ask(ASK, 30.0)
    chat.models = ["policy-model-2"]
    await judge.ask(ASK, 30.0)
    assert [body["model"] for body in chat.asked] == [
        "policy-model",
        "policy-model",
        "policy-model-2",
    ]
    await judge.aclose()


async def test_a_judge_without_its_key_is_listed_with_the_reason(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    spec = {"kind": "openai", "base_url": chat.base_url, "model": "big"}
    judges = {
        "env": {**spec, "api_key_env": "SOME_KEY"},
        "file": {**spec, "api_key_file": tmp_path / "key"},
        "open": spec,
    }
    settings = JudgeSettings.model_validate({"judges": judges, "engine_urls": [chat.url]})
    listed = {name: await describe_judge(settings, name) for name in settings.judges}
    assert {name: info.available for name, info in listed.items()} == {
        "self": True,
        "env": False,
        "file": False,
        "open": True,
    }
    assert "SOME_KEY" in (listed["env"].reason or "")
    assert "key" in (listed["file"].reason or "")
    assert (listed["self"].kind, listed["self"].model) == ("self", "policy-model")
    assert (listed["env"].kind, listed["env"].model) == ("openai", "big")
    with pytest.raises(ConfigError, match="SOME_KEY"):
        make_judge(settings, "env")
    monkeypatch.setenv("SOME_KEY", "sk-1")
    (tmp_path / "key").write_text("sk-2\n")
    assert (await describe_judge(settings, "env")).available
    assert (await describe_judge(settings, "file")).available


async def test_self_without_an_engine_is_unavailable_with_the_reason() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    info = await describe_judge(JudgeSettings(engine_urls=[url]), "self")
    assert not info.available
    assert url in (info.reason or "")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"kind": "openai", "model": "m"}, "base_url"),
        ({"kind": "self", "model": "m"}, "self.model"),
        ({"kind": "other"}, "'self', 'openai', 'claude'"),
        (
            {
                "kind": "openai",
                "model": "m",
                "base_url": "http://x",
                "api_key_env": "A",
                "api_key_file": "b",
            },
            "not both",
        ),
    ],
)
def test_a_judge_that_makes_no_sense_is_refused(spec: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        JudgeSettings.model_validate({"judges": {"x": spec}})


def test_a_judge_name_must_fit_a_queue_and_a_label() -> None:
    with pytest.raises(ValidationError, match="must match"):
        JudgeSettings.model_validate({"judges": {"a b": {"kind": "self"}}})


def test_an_unknown_judge_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no judge 'slef'; there are self"):
        make_judge(JudgeSettings(), "slef")
    assert json.loads(JudgeSettings().model_dump_json())["judges"]["self"]["kind"] == "self"
