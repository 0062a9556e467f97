"""Peers that are down, break off, or are something else altogether."""

import json
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from pydantic import SecretStr

from plaudit.client import ClientOptions, JudgeClient, RewardClient
from plaudit.errors import (
    BodyTooLarge,
    ConfigError,
    NotFound,
    QueueFull,
    Rejected,
    Unauthorized,
    Unavailable,
)
from plaudit.schemas.judge import JudgeList, PairwiseRequest
from plaudit.telemetry import current_traceparent, use_traceparent
from plaudit.testing import free_port

Scripted = Callable[..., AbstractAsyncContextManager[Any]]
Answer = Callable[[bytes], bytes]

FAST = ClientOptions(timeout_s=5, backoff_s=0.02, max_attempts=2)
KEY = "the-key-of-mine"
LIST = b'{"judges": []}'
DATE = "Sun, 06 Nov 1994 08:49:3"


def reply(status: int, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


def problem(status: int, **fields: Any) -> bytes:
    body = {"title": "T", "status": status, **fields}
    return reply(status, json.dumps(body).encode(), "application/problem+json")


async def test_a_service_that_is_down_is_named_with_the_way_to_start_it() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with RewardClient(url, FAST) as client:
        with pytest.raises(Unavailable) as caught:
            await client.rewards()
        assert not await client.healthy()
    assert caught.value.message == f"reward at {url} cannot be connected to: Connection refused."
    assert caught.value.fix is not None
    assert "`plaudit up reward`" in caught.value.fix
    assert "PLAUDIT_REWARD_URL" in caught.value.fix


async def test_a_host_that_does_not_exist_is_unavailable_too() -> None:
    async with RewardClient("http://no-such-host.invalid:1", FAST) as client:
        with pytest.raises(Unavailable, match=r"no-such-host\.invalid:1 cannot be connected to"):
            await client.rewards()


async def test_a_large_body_arrives_whole_each_time_and_without_a_warning(
    scripted: Scripted,
) -> None:
    pair = PairwiseRequest(prompt=[], a="x" * 3 * 2**20, b="y")
    async with (
        scripted(problem(503), reply(200, LIST)) as raw,
        JudgeClient(raw.url, FAST) as client,
    ):
        await client.post("/v1/pairwise", pair, JudgeList)
    bodies = [request.partition(b"\r\n\r\n")[2] for request in raw.requests]
    assert bodies == [pair.model_dump_json().encode()] * 2


@pytest.mark.parametrize("url", ["", "127.0.0.1:8102", "ftp://x", "http://", "redis://:pw@h"])
def test_what_is_no_url_is_a_config_error_that_shows_no_password(url: str) -> None:
    with pytest.raises(ConfigError, match="reward_url") as caught:
        RewardClient(url)
    assert "pw" not in str(caught.value)


def test_two_ways_to_authenticate_are_a_config_error() -> None:
    url = "http://me:secret-of-mine@127.0.0.1:1"
    RewardClient(url)
    with pytest.raises(ConfigError, match="api_key") as caught:
        RewardClient(url, ClientOptions(api_key=SecretStr(KEY)))
    assert "secret-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("garbage", "said"),
    [
        (reply(200, b"<html>nginx</html>", "text/html"), "is no JudgeList"),
        (reply(200, b'{"rewards": []}'), "judges: Field required"),
        (reply(200, b""), "is no JudgeList"),
        (reply(200, b'{"judges": ['), "is no JudgeList"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP as expected"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", "broke its answer off"),
        (reply(502, b"Bad \x1b[2J\nGateway"), r"answered 502: 'Bad \\x1b[2J Gateway'"),
        (reply(500, b"Internal Server Error"), "answered 500"),
        (reply(301, b"", more="location: http://elsewhere/\r\n"), "answered 301"),
        (reply(200, b"x" * 300, more="content-encoding: gzip\r\n"), "was not asked for"),
        (problem(500, type="urn:plaudit:problem:internal", detail="An unforeseen error"), "unfor"),
        (reply(503, b"not json", "application/problem+json"), "answered 503"),
    ],
)
async def test_garbage_is_an_error_that_names_the_peer_and_what_was_wrong(
    scripted: Scripted, garbage: bytes, said: str
) -> None:
    async with (
        scripted(garbage, close_after=True) as server,
        JudgeClient(server.url, FAST) as client,
    ):
        with pytest.raises((Unavailable, Rejected)) as caught:
            await client.judges()
    assert said in caught.value.message
    assert f"judge at {server.url}" in caught.value.message
    assert "\x1b" not in str(caught.value)
    attempts = FAST.max_attempts if caught.value.retryable else 1
    assert len(server.requests) == attempts
    assert caught.value.retryable == (b"301" not in garbage[:20])


async def test_garbage_once_and_an_answer_then_is_an_answer(scripted: Scripted) -> None:
    async with (
        scripted(b"\x00\xff\r\n\r\n", reply(200, LIST), close_after=True) as server,
        JudgeClient(server.url, FAST) as client,
    ):
        assert (await client.judges()).judges == []


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_a_kept_alive_connection_that_the_server_closed_is_replaced(
    scripted: Scripted, method: str
) -> None:
    request = PairwiseRequest(prompt=[], a="1", b="2")
    ok = reply(200, LIST)
    async with scripted(ok, None, ok) as server, JudgeClient(server.url, FAST) as client:
        await client.judges()
        if method == "POST":
            await client.post("/v1/x", request, JudgeList)
        else:
            await client.call(method, "/v1/x", None, JudgeList)
    assert server.num_connections == 2
    assert len(server.requests) == 3


async def test_with_one_attempt_a_dead_connection_is_an_error(scripted: Scripted) -> None:
    options = FAST.model_copy(update={"max_attempts": 1})
    async with scripted(None) as server, JudgeClient(server.url, options) as client:
        with pytest.raises(Unavailable, match="closed the connection without an answer"):
            await client.pairwise(PairwiseRequest(prompt=[], a="1", b="2"))


async def test_an_answer_beyond_the_bound_is_not_read(scripted: Scripted) -> None:
    options = FAST.model_copy(update={"max_response_bytes": 2048})
    body = b'{"judges": []}' + b" " * 4096
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"800\r\n" + b" " * 2048
    for answer in (reply(200, body), endless + b"\r\n800\r\n" + b" " * 2048 + b"\r\n"):
        async with scripted(answer) as server, JudgeClient(server.url, options) as client:
            with pytest.raises(BodyTooLarge, match="max_response_bytes = 2048"):
                await client.judges()
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "retry_after_s"),
    [
        (reply(429, b"slow down", "text/plain", "retry-after: 7\r\n"), QueueFull, 7.0),
        (problem(429, type="urn:plaudit:problem:queue-full", retry_after_s=0.5), QueueFull, 0.5),
        (problem(401, type="about:blank"), Unauthorized, None),
        (reply(404, b"no such page", "text/html"), NotFound, None),
        (problem(418, retryable=True), Unavailable, None),
        (problem(418), Rejected, None),
        (problem(503, type="urn:other:thing", surprise=1), Unavailable, None),
        (reply(529, b"Overloaded"), QueueFull, None),
        (reply(429, b"", more="retry-after: 0.5\r\n"), QueueFull, 0.5),
        (reply(429, b"", more="retry-after: 2\r\nretry-after-ms: 1250\r\n"), QueueFull, 1.25),
        (
            reply(503, b"", more=f"retry-after: {DATE}5 GMT\r\ndate: {DATE}2 GMT\r\n"),
            Unavailable,
            3,
        ),
        (
            reply(503, b"", more=f"retry-after: {DATE}2 GMT\r\ndate: {DATE}5 GMT\r\n"),
            Unavailable,
            None,
        ),
        (reply(503, b"", more=f"retry-after: {DATE}5 GMT\r\n"), Unavailable, None),
        (
            reply(503, b"", more="retry-after: Wed, 21 Oct 99999 07:28:00 GMT\r\n"),
            Unavailable,
            None,
        ),
        (reply(503, b"", more="retry-after: \xb2\r\n"), Unavailable, None),
        (reply(503, b"", more=f"retry-after: {'9' * 400}\r\n"), Unavailable, None),
    ],
)
async def test_answers_of_strangers_become_our_errors(
    scripted: Scripted, answer: bytes, kind: type[Exception], retry_after_s: float | None
) -> None:
    options = FAST.model_copy(update={"max_attempts": 1})
    async with scripted(answer) as server, JudgeClient(server.url, options) as client:
        with pytest.raises(kind) as caught:
            await client.judges()
    assert type(caught.value) is kind
    assert getattr(caught.value, "retry_after_s", None) == retry_after_s


async def test_hostile_details_are_harmless_to_print(scripted: Scripted) -> None:
    answer = problem(422, detail="\x1b]0;owned\x07\rforged")
    async with scripted(answer) as server, JudgeClient(server.url, FAST) as client:
        with pytest.raises(Rejected) as caught:
            await client.judges()
    assert "\x1b" not in str(caught.value)
    assert "\r" not in str(caught.value)


async def test_the_key_is_sent_and_appears_nowhere_else(scripted: Scripted) -> None:
    options = FAST.model_copy(update={"api_key": SecretStr(KEY)})
    async with (
        scripted(reply(500, b"oops"), close_after=True) as server,
        JudgeClient(server.url, options) as client,
    ):
        with pytest.raises(Unavailable) as caught:
            await client.judges()
        shown = repr(client) + repr(options) + repr(client.options)
    assert f"authorization: bearer {KEY}".encode() in server.requests[0].lower()
    assert KEY not in shown + "".join(traceback.format_exception(caught.value))


async def test_the_trace_goes_on_and_no_cookie_is_kept(scripted: Scripted) -> None:
    cookie = reply(200, LIST, more="set-cookie: a=b\r\n")
    async with scripted(cookie, cookie) as server, JudgeClient(server.url, FAST) as client:
        with use_traceparent(None):
            sent = current_traceparent()
            await client.judges()
        await client.judges()
    assert sent is not None
    assert f"traceparent: {sent}".encode() in server.requests[0].lower()
    assert b"traceparent" not in server.requests[1].lower()
    assert b"cookie" not in server.requests[1].lower()


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with scripted(reply(200, LIST)) as server, JudgeClient(server.url, FAST) as client:
        assert (await client.judges()).judges == []
