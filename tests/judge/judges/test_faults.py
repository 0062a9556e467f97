"""Endpoints that misbehave on the wire, of both formats: never a verdict that was not given."""

import asyncio
import json
import math
import time
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit_judge.judges.base import Case
from plaudit_judge.judges.chat import MAX_RESPONSE_BYTES
from plaudit_judge.judges.claude import ClaudeJudge, ClaudeSpec
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.rubric_files import load_rubrics

from ..adapters_server import (
    Script,
    WireServer,
    answer,
    dropped,
    slow_stream,
    truncated,
    wire_server,
)

KINDS = ["openai", "claude"]
PATHS = {"openai": "/v1/chat/completions", "claude": "/v1/messages"}
A_WINS = '{"reasons": "", "verdict": "Winner: response A"}'
B_WINS = '{"reasons": "", "verdict": "Winner: response B"}'


def said(kind: str, text: str | None) -> dict[str, Any]:
    if kind == "openai":
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        return {"id": "1", "choices": [choice | {"finish_reason": "stop"}], "usage": None}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 20, "output_tokens": 4},
    }  # fmt: skip


def judge_at(kind: str, server: WireServer, timeout_s: float = 10.0) -> OpenAIJudge | ClaudeJudge:
    if kind == "openai":
        url = f"{server.url}/v1"
        spec = OpenAISpec(base_url=url, model="m", structured="on", timeout_s=timeout_s)
        return OpenAIJudge(kind, spec, None)
    pytest.importorskip("anthropic", reason="needs the extra `claude`")
    claude = ClaudeSpec(base_url=server.url, model="m", structured="on", timeout_s=timeout_s)
    return ClaudeJudge(kind, claude, None)


async def seat(judge: OpenAIJudge | ClaudeJudge, timeout_s: float = 20.0) -> str | None:
    prompt = [Message(role="user", content="p")]
    case = Case(prompt, "1", "2", None, load_rubrics()["sr_r1"], seed=0)
    try:
        return (await judge.compare(case, timeout_s)).seat
    finally:
        await judge.aclose()


def text(body: str, content_type: str, status: int = 200) -> Script:
    async def script(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        return web.Response(text=body, content_type=content_type, status=status)

    return script


def broken_off(body: Any) -> Script:
    """The headers promise more than comes."""

    async def script(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        whole = json.dumps(body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(whole))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(whole[:-20])
        assert request.transport is not None
        request.transport.close()
        return response

    return script


async def headers_only(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    await asyncio.sleep(0.05)
    assert request.transport is not None
    request.transport.abort()
    return response


async def refused_until(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    """A date, in whole seconds: 0.5 to 1.5 s from here."""
    soon = formatdate(math.ceil(time.time() + 0.5), usegmt=True)
    return web.json_response({}, status=429, headers={"retry-after": soon})


def wrong_type_of(kind: str) -> Script:
    body = {"openai": {"choices": [{"message": "Winner: response A"}]}, "claude": {"content": 7}}
    return answer(body[kind])


HTML = "<html><body>Winner: response A</body></html>"


def faults(kind: str) -> dict[str, Script]:
    """After each of them the endpoint answers that B wins."""
    a_wins, error = said(kind, A_WINS), {"type": "error", "error": {"message": "Winner: A"}}
    return {
        "429": answer(error, 429),
        "529": answer(error, 529),
        "500": answer(error, 500),
        "HTML, 502": text(HTML, "text/html", 502),
        "HTML, 200": text(HTML, "text/html"),
        "plain text": text("Winner: response A", "text/plain"),
        "truncated JSON": truncated(a_wins),
        "other JSON": wrong_type_of(kind),
        "no headers": dropped,
        "headers only": headers_only,
        "broken off": broken_off(a_wins),
        "a trickle": slow_stream(a_wins, 0.05),
    }


async def seconds_to_the_verdict(kind: str, fault: Script, timeout_s: float = 10.0) -> float:
    async with wire_server(PATHS[kind], fault, answer(said(kind, B_WINS))) as server:
        started_s = time.monotonic()
        assert await seat(judge_at(kind, server, timeout_s)) == "B"
        took_s = time.monotonic() - started_s
    assert len(server.asked) == 2
    return took_s


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", faults("openai"))
async def test_after_a_fault_that_passes_the_verdict_is_the_one_that_was_given(
    kind: str, name: str
) -> None:
    timeout_s = 0.4 if name == "a trickle" else 10.0
    await seconds_to_the_verdict(kind, faults(kind)[name], timeout_s)


@pytest.mark.parametrize("kind", KINDS)
async def test_retry_after_is_waited_for_in_each_of_its_forms(kind: str) -> None:
    took_s = await asyncio.gather(
        seconds_to_the_verdict(kind, answer({}, 429, retry_after="1")),
        seconds_to_the_verdict(kind, refused_until),
        seconds_to_the_verdict(kind, answer({}, 429, retry_after_ms="300", retry_after="9")),
    )
    assert took_s[0] >= 1.0
    assert took_s[1] >= 0.5
    assert 0.3 <= took_s[2] < 9.0


@pytest.mark.parametrize("kind", KINDS)
async def test_faults_that_stay_are_unavailable_by_the_deadline(kind: str) -> None:
    scripts = [faults(kind)[name] for name in ("HTML, 200", "no headers", "truncated JSON", "500")]
    async with wire_server(PATHS[kind], *scripts) as server:
        with pytest.raises(Unavailable) as caught:
            await seat(judge_at(kind, server), timeout_s=1.0)
    assert caught.value.retryable
    assert "failed attempts" in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", ["", "I cannot help with that.", "{}", "[]", '{"verdict": null}'])
async def test_a_reply_that_gives_no_verdict_is_unparsed_and_not_asked_for_again(
    kind: str, words: str
) -> None:
    async with wire_server(PATHS[kind], answer(said(kind, words))) as server:
        assert await seat(judge_at(kind, server)) is None
    assert len(server.asked) == 1


async def most_bytes_read(kind: str, status: int) -> int:
    """Of a body without end, in any of the attempts."""
    most_bytes = 0

    async def endless(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        nonlocal most_bytes
        response = web.StreamResponse(status=status, headers={"content-type": "application/json"})
        await response.prepare(request)
        for num_bytes in range(0, 20 * MAX_RESPONSE_BYTES, 65_536):
            await response.write(b" " * 65_536)
            most_bytes = max(most_bytes, num_bytes)
        return response

    async with wire_server(PATHS[kind], endless) as server:
        with pytest.raises((Rejected, Unavailable)):
            await seat(judge_at(kind, server), timeout_s=1.0)
    return most_bytes


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_without_end_is_not_read_to_its_end(kind: str) -> None:
    read = await asyncio.gather(most_bytes_read(kind, 200), most_bytes_read(kind, 400))
    assert all(MAX_RESPONSE_BYTES / 2 < num_bytes < 10 * MAX_RESPONSE_BYTES for num_bytes in read)
