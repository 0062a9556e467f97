from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from plaudit.config import ServiceSettings
from plaudit.service import create_app
from plaudit.testing import running

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)

KEY, OTHER = "first-key-of-ours", "second-key-of-ours"


def make_app(settings: ServiceSettings) -> FastAPI:
    app = create_app("test", settings)

    @app.post("/work")
    async def work() -> str:
        return "done"

    return app


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = ServiceSettings(api_keys=[SecretStr(KEY), SecretStr(OTHER)])
    with running(make_app(settings)) as url:
        yield url


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"Bearer {OTHER}", f"bearer {KEY}"])
def test_each_configured_key_opens(url: str, header: str) -> None:
    assert post(f"{url}/work", headers={"authorization": header}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", KEY, f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}",
     f"Bearer {KEY} {OTHER}", "Bearer \u00e9\u00e9"],
)  # fmt: skip
def test_everything_else_is_401_that_repeats_no_key(url: str, header: str | None) -> None:
    headers = {} if header is None else {b"authorization": header.encode("latin-1")}
    response = post(f"{url}/work", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["retryable"] is False
    assert KEY not in response.text
    assert KEY[:-1] not in response.text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_health_and_metrics_are_open(url: str, path: str) -> None:
    assert get(url + path).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/nowhere", "/livez/", "//livez"])
def test_nothing_else_is(url: str, path: str) -> None:
    assert get(url + path).status_code == 401


def test_keys_are_in_no_metric(url: str) -> None:
    post(f"{url}/work", headers={"authorization": f"Bearer {KEY}"})
    post(f"{url}/{KEY}", headers={"authorization": f"Bearer {KEY}"})
    assert KEY not in get(f"{url}/metrics").text


@pytest.fixture(scope="module")
def open_url() -> Iterator[str]:
    with running(make_app(ServiceSettings())) as url:
        yield url


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8102", "127.0.0.1.evil.example:1"])
def test_without_keys_a_rebound_name_is_refused(open_url: str, host: str) -> None:
    response = post(f"{open_url}/work", headers={"host": host})
    assert response.status_code == 421
    assert get(f"{open_url}/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8102", "127.0.0.1", "[::1]:80", "[::1]"])
def test_loopback_names_are_answered(open_url: str, host: str) -> None:
    assert post(f"{open_url}/work", headers={"host": host}).status_code == 200


def test_with_keys_any_host_name_is_answered(url: str) -> None:
    headers = {"host": "reward.example", "authorization": f"Bearer {KEY}"}
    assert post(f"{url}/work", headers=headers).status_code == 200
