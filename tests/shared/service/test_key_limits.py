"""How much a named key may ask for: rate, requests at once, bytes."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from plaudit.client import ClientOptions, RewardClient
from plaudit.errors import QueueFull
from plaudit.testing import running

from .keyed import bearer, key_of, make_app, send


def test_a_rate_is_429_that_says_when_and_by_which_limit(tmp_path: Path) -> None:
    app = make_app(tmp_path, {"external": {"requests_per_minute": 2}, "other": {}})
    with running(app) as url:
        answers = [
            send("POST", f"{url}/v1/score", headers=bearer(key_of("external"))) for _ in range(3)
        ]
        other = send("POST", f"{url}/v1/score", headers=bearer(key_of("other")))
        text = send("GET", f"{url}/metrics").text
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "keys.external.requests_per_minute = 2" in answers[2].json()["detail"]
    assert 25 <= int(answers[2].headers["retry-after"]) <= 30
    assert answers[2].json()["retryable"] is True
    assert other.status_code == 200
    assert 'limit="requests_per_minute",service="test"} 1.0' in text


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_keys_limit_is_413_that_names_it(tmp_path: Path, chunked: bool) -> None:
    app = make_app(tmp_path, {"external": {"max_body_bytes": 1024}, "other": {}})
    body = b"x" * 1025
    with running(app) as url:
        for name, status in (("external", 413), ("other", 200)):
            answer = send(
                "POST",
                f"{url}/v1/score",
                headers=bearer(key_of(name)),
                content=iter([body[:500], body[500:]]) if chunked else body,
            )
            assert answer.status_code == status
            if status == 413:
                assert "keys.external.max_body_bytes = 1024" in answer.json()["detail"]


def test_requests_at_once_are_bounded_for_each_key_and_the_place_is_given_back(
    tmp_path: Path,
) -> None:
    app = make_app(tmp_path, {"external": {"max_concurrent_requests": 1}, "other": {}})
    entered, release = threading.Event(), threading.Event()

    @app.post("/v1/slow")
    async def slow() -> None:
        entered.set()
        await asyncio.to_thread(release.wait, 10)

    with running(app) as url:
        ask = partial(send, "POST", f"{url}/v1/slow", headers=bearer(key_of("external")))
        first = threading.Thread(target=ask)
        first.start()
        assert entered.wait(10)
        refused = send("POST", f"{url}/v1/score", headers=bearer(key_of("external")))
        other = send("POST", f"{url}/v1/score", headers=bearer(key_of("other")))
        release.set()
        first.join()
        again = ask()
    assert refused.status_code == 429
    assert "keys.external.max_concurrent_requests = 1" in refused.json()["detail"]
    assert (other.status_code, again.status_code) == (200, 200)


def test_refused_requests_take_no_place(tmp_path: Path) -> None:
    limits = {"scopes": ["score"], "max_concurrent_requests": 1, "requests_per_minute": 1}
    app = make_app(tmp_path, {"external": limits})
    with running(app) as url:
        for _ in range(3):
            send("POST", f"{url}/run_code", headers=bearer(key_of("external")))
        answer = send("POST", f"{url}/v1/score", headers=bearer(key_of("external")))
    assert answer.status_code == 200


async def test_plaudits_client_knows_when_to_try_again(tmp_path: Path) -> None:
    app = make_app(tmp_path, {"external": {"requests_per_minute": 1}})
    options = ClientOptions(api_key=SecretStr(key_of("external")), max_attempts=1)
    with running(app) as url:
        send("POST", f"{url}/v1/score", headers=bearer(key_of("external")))
        async with RewardClient(url, options) as client:
            with pytest.raises(QueueFull, match="requests_per_minute = 1") as caught:
                await client.rewards()
    assert 50 <= (caught.value.retry_after_s or 0) <= 60
