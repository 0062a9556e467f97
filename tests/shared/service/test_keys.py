"""Named keys on a real socket: what each may ask for, and that nothing tells them."""

import re
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from plaudit.client import ClientOptions, RewardClient
from plaudit.errors import ConfigError, Forbidden
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit.testing import running

from .keyed import PLAIN, bearer, key_of, make_app, send

LIMITS: dict[str, dict[str, Any]] = {
    "external": {"scopes": ["score", "run_code"]},
    "other": {"scopes": ["discriminator"]},
    "unscoped": {},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return make_app(tmp_path_factory.mktemp("keys"), LIMITS)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    with running(app) as url:
        yield url


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/score", 200),
        ("POST", "/run_code", 200),
        ("GET", "/v1/rewards", 200),
        ("GET", "/openapi.json", 200),
        ("POST", "/v1/discriminator/update", 403),
        ("GET", "/v1/leases", 403),
        ("POST", "/v1/rewards", 403),
        ("POST", "/v1/score%0A", 403),
        ("POST", "//v1/discriminator/update", 403),
        ("POST", "/v1/%64iscriminator/update", 403),
        ("GET", "/nowhere", 403),
    ],
)
def test_a_key_may_ask_for_its_scopes_and_for_lists(
    url: str, method: str, path: str, status: int
) -> None:
    assert send(method, url + path, headers=bearer(key_of("external"))).status_code == status


@pytest.mark.parametrize("key", [PLAIN, key_of("unscoped")])
@pytest.mark.parametrize("path", ["/v1/score", "/v1/discriminator/update", "/run_code"])
def test_a_plain_key_and_one_without_scopes_may_ask_for_everything(
    url: str, key: str, path: str
) -> None:
    assert send("POST", url + path, headers=bearer(key)).status_code == 200


def test_a_refusal_names_the_scope_and_what_the_key_has_and_never_the_key(url: str) -> None:
    answer = send("POST", f"{url}/v1/score", headers=bearer(key_of("other")))
    problem = answer.json()
    assert problem["type"] == "urn:plaudit:problem:forbidden"
    assert "'other' has no scope 'score': keys.other.scopes = discriminator" in problem["detail"]
    assert problem["retryable"] is False
    assert key_of("other") not in answer.text


@pytest.mark.parametrize("key", ["no-key-of-ours", "external", key_of("external")[:-1]])
def test_a_key_that_nobody_has_is_401(url: str, key: str) -> None:
    assert send("POST", f"{url}/v1/score", headers=bearer(key)).status_code == 401


def test_handlers_and_logs_learn_the_callers_name(url: str) -> None:
    headers = {**bearer(key_of("external")), "idempotency-key": "k"}
    found = send("POST", f"{url}/v1/score", headers=headers).json()
    assert found == {"caller": "external", "logged": "external", "key": "external@k"}
    headers |= bearer(PLAIN)
    found = send("POST", f"{url}/v1/score", headers=headers).json()
    assert found == {"caller": None, "logged": None, "key": "k"}


def test_a_pipelined_request_is_its_own_callers(url: str) -> None:
    asked = "".join(
        f"POST /v1/score HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"connection: {connection}\r\ncontent-length: 0\r\n\r\n"
        for key, connection in ((key_of("external"), "keep-alive"), (PLAIN, "close"))
    )
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5.0) as connection:
        connection.sendall(asked.encode())
        answers = b"".join(iter(partial(connection.recv, 65536), b""))
    assert re.findall(rb'"logged":([^,]*)', answers) == [b'"external"', b"null"]


def test_refusals_are_counted_by_name_and_limit(url: str) -> None:
    line = 'plaudit_http_key_refusals_total{key="unscoped",limit="scopes",service="test"}'
    assert line not in send("GET", f"{url}/metrics").text
    send("POST", f"{url}/run_code", headers=bearer(key_of("other")))
    text = send("GET", f"{url}/metrics").text
    assert line.replace("unscoped", "other") in text
    assert not any(key_of(name) in text for name in LIMITS)


def test_the_app_keeps_no_key(app: FastAPI) -> None:
    options: dict[str, Any] = app.user_middleware[0].kwargs
    held = repr([vars(options["auth"]), *map(vars, options["gates"].values())])
    assert not any(key in held for key in (PLAIN, *map(key_of, LIMITS)))


def test_a_scope_that_no_route_has_is_refused_at_the_start(tmp_path: Path) -> None:
    app = make_app(tmp_path, {"external": {"scopes": ["scores"]}})
    with pytest.raises(ConfigError) as caught, running(app):
        pass
    assert "keys.external.scopes: plaudit-test has no 'scores'" in str(caught.value)
    assert "discriminator, leases, run_code, score;" in str(caught.value)


async def test_plaudits_client_raises_what_was_refused(url: str) -> None:
    group = RewardGroup(group_id="g", prompt=[], completions=[Answer(text="1")])
    request = ScoreRequest(groups=[group], rewards=[RewardSpec(name="accuracy")])
    options = ClientOptions(api_key=SecretStr(key_of("other")))
    async with RewardClient(url, options) as client:
        with pytest.raises(Forbidden, match="no scope 'score'"):
            await client.score(request)
