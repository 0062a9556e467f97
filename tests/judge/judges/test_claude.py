"""Claude as a judge: Anthropic's own SDK against a local server that speaks its wire format."""

import sys
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from plaudit.errors import ConfigError, Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit_judge.judges.base import Case
from plaudit_judge.judges.claude import ClaudeJudge, ClaudeSpec
from plaudit_judge.judges.make import describe_judge
from plaudit_judge.rubric import Rubric
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.rubric_texts import Text
from plaudit_judge.settings import JudgeSettings

from ..adapters_server import WireServer, answer, dropped, slow_stream, truncated, wire_server

pytest.importorskip("anthropic", reason="needs the extra `claude`")

PATH = "/v1/messages"
RUBRIC = load_rubrics()["sr_r1"]
CONSTANT = Rubric(
    name="brief",
    version=1,
    description="d",
    pairwise=Text(system="Judge strictly. Winner: response A or B.", user="{prompt} {a} {b}"),
)
A_WINS = '{"reasons": "response B says Winner: response B", "verdict": "Winner: response A"}'
B_WINS = '{"reasons": "", "verdict": "Winner: response B"}'


def message(text: str | None, stop_reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    """As the Messages API sends it."""
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [{"type": "text", "text": text}] if text is not None else [],
        "stop_reason": stop_reason, "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 4, **usage},
    }  # fmt: skip


def problem(kind: str, text: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


def case(rubric: Rubric = RUBRIC) -> Case:
    return Case([Message(role="user", content="p")], "1", "2", None, rubric, seed=0)


def judge_at(server: WireServer, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> ClaudeJudge:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    spec = ClaudeSpec(model="claude-x", base_url=server.url, **fields)
    return ClaudeJudge("claude", spec, spec.read_api_key())


async def test_the_verdict_is_asked_for_by_a_schema_and_read_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with wire_server(PATH, answer(message(A_WINS))) as server:
        judge = judge_at(server, monkeypatch)
        opinion = await judge.compare(case(), 20.0)
        await judge.aclose()
    assert (opinion.seat, opinion.reply.prompt_tokens) == ("A", 20)
    schema = server.asked[0]["output_config"]["format"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["Winner: response A", "Winner: response B"]
    # The SDK chooses how the key is sent.
    sent = {server.headers[0].get(name) for name in ("x-api-key", "authorization")}
    assert sent & {"sk-ant-secret", "Bearer sk-ant-secret"}


async def test_a_constant_system_text_is_cached_and_one_with_a_fence_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = {"cache_read_input_tokens": 900, "cache_creation_input_tokens": 50}
    async with wire_server(PATH, answer(message(A_WINS, "end_turn", **usage))) as server:
        judge = judge_at(server, monkeypatch)
        opinion = await judge.compare(case(CONSTANT), 20.0)
        await judge.compare(case(RUBRIC), 20.0)
        await judge.aclose()
    assert server.asked[0]["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in server.asked[1]["system"][0]
    reply = opinion.reply
    assert (reply.prompt_tokens, reply.cached_tokens, reply.cache_write_tokens) == (970, 900, 50)


@pytest.mark.parametrize(
    "said",
    [
        message(None),
        message(""),
        message(A_WINS, "refusal"),
        message('{"reasons": "Winner: response A', "max_tokens"),
        message("{}"),
        message('{"verdict": 3}'),
    ],
    ids=["empty content", "empty text", "refusal", "cut off", "no verdict", "not a text"],
)
async def test_a_reply_without_a_verdict_is_unparsed(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    async with wire_server(PATH, answer(said)) as server:
        judge = judge_at(server, monkeypatch)
        opinion = await judge.compare(case(), 20.0)
        await judge.aclose()
    assert opinion.seat is None
    assert len(server.asked) == 1


def num_failed() -> float:
    labels = {"judge": "claude", "outcome": "unavailable"}
    return REGISTRY.get_sample_value("plaudit_judge_calls_total", labels) or 0.0


FAILURES = {
    "429": answer(problem("rate_limit_error", "slow down"), 429, retry_after="1"),
    "529": answer(problem("overloaded_error", "Overloaded"), 529),
    "500": answer(problem("api_error", "broken"), 500),
    "truncated json": truncated(message(A_WINS)),
    "other json": answer(["Winner: response A"]),
    "dropped connection": dropped,
    "slow stream": slow_stream(message(A_WINS), 0.05),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_that_passes_is_tried_again_by_our_one_retry_layer(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with wire_server(PATH, FAILURES[name], answer(message(B_WINS))) as server:
        judge = judge_at(server, monkeypatch, timeout_s=1.0)
        failed = num_failed()
        started_s = time.monotonic()
        assert (await judge.compare(case(), 20.0)).seat == "B"
        took_s = time.monotonic() - started_s
        await judge.aclose()
    assert len(server.asked) == 2
    assert num_failed() == failed + 1, "the SDK itself tried again"
    assert took_s >= 1.0 or name not in ("429", "slow stream")


@pytest.mark.parametrize("name", ["429", "529", "dropped connection"])
async def test_a_failure_that_stays_is_unavailable_and_never_a_verdict(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with wire_server(PATH, FAILURES[name]) as server:
        judge = judge_at(server, monkeypatch)
        with pytest.raises(Unavailable):
            await judge.compare(case(), 1.5)
        await judge.aclose()


async def test_a_refused_question_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = answer(problem("invalid_request_error", "prompt is too long"), 400)
    async with wire_server(PATH, refused) as server:
        judge = judge_at(server, monkeypatch)
        with pytest.raises(Rejected, match="too long"):
            await judge.compare(case(), 20.0)
        await judge.aclose()
    assert len(server.asked) == 1


async def test_a_wrong_key_is_the_operators_fault_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = answer(problem("authentication_error", "invalid x-api-key"), 401)
    async with wire_server(PATH, refused) as server:
        judge = judge_at(server, monkeypatch)
        with pytest.raises(Unavailable, match=r"\[judge.judges.claude\]") as caught:
            await judge.compare(case(), 20.0)
        await judge.aclose()
    assert "sk-ant-secret" not in f"{caught.value!r} {caught.value}"


async def test_an_endpoint_without_structure_is_asked_in_words_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = answer(problem("invalid_request_error", "output_config: schema not supported"), 400)
    words = answer(message("Winner: response B"))
    async with wire_server(PATH, refused, words) as server:
        judge = judge_at(server, monkeypatch)
        assert [(await judge.compare(case(), 20.0)).seat for _ in range(2)] == ["B", "B"]
        await judge.aclose()
    assert ["output_config" in body for body in server.asked] == [True, False, False]


async def test_without_its_package_or_key_it_is_listed_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    settings = JudgeSettings.model_validate({"judges": {"c": {"kind": "claude", "model": "m"}}})
    info = await describe_judge(settings, "c")
    assert (info.available, info.model) == (False, "m")
    assert "ANTHROPIC_API_KEY" in (info.reason or "")
    monkeypatch.setitem(sys.modules, "anthropic", None)
    info = await describe_judge(settings, "c")
    assert "pip install 'plaudit-judge[claude]'" in (info.reason or "")
    with pytest.raises(ConfigError, match="anthropic"):
        ClaudeJudge("c", ClaudeSpec(model="m"), None)
