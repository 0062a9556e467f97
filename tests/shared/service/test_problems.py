from collections.abc import Iterator
from functools import partial

import httpx
import pytest
import redis.exceptions
from fastapi import FastAPI, Request, Response

from plaudit import errors
from plaudit.config import ServiceSettings
from plaudit.schemas.problem import Problem
from plaudit.schemas.reward import ScoreRequest
from plaudit.service import create_app, json_response, read_model
from plaudit.testing import running

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)

RAISED: dict[str, Exception] = {
    "rejected": errors.Rejected("The judge is unknown.", fix="take another."),
    "not-found": errors.NotFound("gone"),
    "unauthorized": errors.Unauthorized("who"),
    "conflict": errors.Conflict("taken"),
    "body-too-large": errors.BodyTooLarge("big"),
    "unavailable": errors.Unavailable("later", retry_after_s=2.5),
    "queue-full": errors.QueueFull("queue reward-rules holds max_jobs = 3"),
    "deadline-exceeded": errors.DeadlineExceeded("slow"),
    "corrupt": errors.Corrupt("checksum"),
    "config-error": errors.ConfigError("setting"),
}


def make_app() -> FastAPI:
    app = create_app("test", ServiceSettings())

    @app.post("/fast")
    async def fast(request: Request) -> Response:
        return json_response(await read_model(request, ScoreRequest))

    @app.post("/plain")
    async def plain(body: ScoreRequest) -> int:
        return len(body.groups)

    @app.get("/raise/{name}")
    async def raise_it(name: str) -> None:
        raise RAISED[name]

    @app.get("/bug")
    async def bug() -> None:
        raise ValueError("the secret inside")

    @app.get("/redis")
    async def no_redis() -> None:
        raise redis.exceptions.ConnectionError("Error 111 connecting to :pw@host")

    @app.get("/number")
    async def number(wait: float) -> float:
        return wait

    return app


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(make_app()) as url:
        yield url


def problem(response: httpx.Response) -> Problem:
    assert response.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(response.content)
    assert found.status == response.status_code
    assert found.request_id == response.headers["x-request-id"]
    return found


@pytest.mark.parametrize("name", RAISED)
def test_each_error_goes_out_as_its_own_problem(url: str, name: str) -> None:
    error = RAISED[name]
    assert isinstance(error, errors.PlauditError)
    found = problem(get(f"{url}/raise/{name}"))
    assert found.type == f"urn:plaudit:problem:{name}"
    assert (found.status, found.retryable) == (error.status, error.retryable)
    assert (found.detail, found.fix) == (error.message, error.fix)


def test_a_full_queue_always_says_when_to_come_back(url: str) -> None:
    assert get(f"{url}/raise/queue-full").headers["retry-after"] == "1"
    later = get(f"{url}/raise/unavailable")
    assert later.headers["retry-after"] == "3"
    assert problem(later).retry_after_s == 2.5


BAD_BODIES = [
    ('{"rewards": [{"name": "x"}]}', "groups"),
    ('{"groups": [], "rewards": [{"name": "x"}]}', "groups"),
    ('{"groups": [{"group_id": "g", "prompt": [], "completions": [{}]}]}', "text"),
    ('{"groups": 3, "rewards": [], "surprise": 1}', "surprise"),
]


@pytest.mark.parametrize("path", ["/fast", "/plain"])
@pytest.mark.parametrize(("body", "field"), BAD_BODIES)
def test_an_invalid_body_is_422_naming_the_field(
    url: str, path: str, body: str, field: str
) -> None:
    found = problem(post(url + path, content=body, headers={"content-type": "application/json"}))
    assert found.status == 422
    assert not found.retryable
    assert found.errors is not None
    assert any(field in item.field.split(".") for item in found.errors)
    assert field in found.detail


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_json_is_422_too(url: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert problem(post(f"{url}/fast", content=body, headers=headers)).status == 422


def test_a_body_that_is_not_declared_json_is_refused(url: str) -> None:
    found = problem(post(f"{url}/fast", content="{}", headers={"content-type": "text/plain"}))
    assert found.status == 415


def test_thousands_of_errors_make_a_short_answer(url: str) -> None:
    body = {"groups": [{"x" * 300: 1} for _ in range(1000)], "rewards": []}
    response = post(f"{url}/fast", json=body)
    assert problem(response).status == 422
    assert len(response.content) < 20_000


def test_query_parameters_are_named(url: str) -> None:
    found = problem(get(f"{url}/number", params={"wait": "soon"}))
    assert found.errors is not None
    assert found.errors[0].field == "wait"


def test_a_bug_is_500_that_hides_its_text_and_may_be_retried(url: str) -> None:
    response = get(f"{url}/bug")
    found = problem(response)
    assert (found.status, found.retryable) == (500, True)
    assert "secret" not in response.text


def test_a_lost_redis_is_503_without_its_address(url: str) -> None:
    response = get(f"{url}/redis")
    assert problem(response).status == 503
    assert "pw" not in response.text


def test_unknown_paths_and_methods_are_problems(url: str) -> None:
    assert problem(get(f"{url}/nowhere")).status == 404
    wrong_method = get(f"{url}/fast")
    assert problem(wrong_method).status == 405
    assert wrong_method.headers["allow"] == "POST"
