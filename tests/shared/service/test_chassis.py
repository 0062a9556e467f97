import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from plaudit.config import ServiceSettings
from plaudit.errors import Unavailable
from plaudit.schemas.reward import ScoreRequest, ScoreResponse
from plaudit.service import create_app, idempotency_key, json_docs, json_response, read_model
from plaudit.telemetry import current_request_id, current_traceparent
from plaudit.testing import running

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
send = partial(httpx.request, verify=False)

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def make_app() -> FastAPI:
    app = create_app("chassis-test", ServiceSettings())

    @app.get("/context/{item}")
    async def context(request: Request, item: str) -> dict[str, str | None]:
        return {
            "request_id": current_request_id(),
            "traceparent": current_traceparent(),
            "idempotency_key": idempotency_key(request),
        }

    @app.post("/v1/score", **json_docs(ScoreRequest, ScoreResponse))
    async def score(request: Request) -> Response:
        await read_model(request, ScoreRequest)
        return json_response(ScoreResponse(groups=[]))

    return app


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(make_app()) as url:
        yield url


def test_a_harmless_request_id_is_kept_and_returned(url: str) -> None:
    response = get(f"{url}/context/1", headers={"x-request-id": "run-1/epoch_2:7.x"})
    assert response.headers["x-request-id"] == "run-1/epoch_2:7.x"
    assert response.json()["request_id"] == "run-1/epoch_2:7.x"


@pytest.mark.parametrize("given", [None, b"", b"a b", b"x" * 129, b"<script>", b"\xff"])
def test_any_other_request_id_is_replaced(url: str, given: bytes | None) -> None:
    headers = {} if given is None else {b"x-request-id": given}
    first, second = (
        get(f"{url}/context/1", headers=headers).headers["x-request-id"] for _ in range(2)
    )
    assert first != second
    assert len(first) == 32


def test_the_callers_trace_goes_on(url: str) -> None:
    headers = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    traceparent = get(f"{url}/context/1", headers=headers).json()["traceparent"]
    assert traceparent.split("-")[1] == TRACE_ID
    assert traceparent.split("-")[2] != "00f067aa0ba902b7"


def test_without_a_trace_each_request_begins_one(url: str) -> None:
    with httpx.Client(verify=False) as client:
        found = {client.get(f"{url}/context/1").json()["traceparent"] for _ in range(3)}
    assert len(found) == 3


def test_handlers_see_the_idempotency_key(url: str) -> None:
    answer = get(f"{url}/context/1", headers={"idempotency-key": "run/0/1/score"})
    assert answer.json()["idempotency_key"] == "run/0/1/score"
    assert get(f"{url}/context/1").json()["idempotency_key"] is None


@pytest.mark.parametrize("key", [b"", b"x" * 257, b"\xe9"])
def test_an_unusable_idempotency_key_is_refused_by_name(url: str, key: bytes) -> None:
    response = get(f"{url}/context/1", headers={b"idempotency-key": key})
    assert response.status_code == 422
    assert "Idempotency-Key" in response.json()["detail"]


def test_metrics_name_the_route_template_never_the_path(url: str) -> None:
    for item in ("one-item", "another-item"):
        get(f"{url}/context/{item}")
    get(f"{url}/no/such/path-here")
    send("PROPFIND", f"{url}/context/1")
    text = get(f"{url}/metrics").text
    line = (
        'plaudit_http_requests_total{{method="{}",route="{}",service="chassis-test",status="{}"}}'
    )
    assert line.format("GET", "/context/{item}", "2xx") in text
    assert line.format("GET", "unmatched", "4xx") in text
    assert line.format("other", "/context/{item}", "4xx") in text
    assert "plaudit_http_request_duration_seconds_bucket" in text
    assert 'plaudit_http_requests_in_progress{service="chassis-test"}' in text
    for hidden in ("one-item", "path-here", "PROPFIND"):
        assert hidden not in text


def test_openapi_shows_fast_routes_and_the_problem_document(url: str) -> None:
    document = get(f"{url}/openapi.json").json()
    score = document["paths"]["/v1/score"]["post"]
    schemas = document["components"]["schemas"]
    reference = "#/components/schemas/"
    body = score["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": f"{reference}ScoreRequest"}
    assert schemas["ScoreRequest"]["properties"]["groups"]["items"] == {
        "$ref": f"{reference}RewardGroup"
    }
    answer = score["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": f"{reference}ScoreResponse"}
    problem = score["responses"]["default"]["content"]["application/problem+json"]["schema"]
    assert problem == {"$ref": f"{reference}Problem"}
    assert "422" not in score["responses"]


def test_every_reference_in_openapi_has_its_schema(url: str) -> None:
    text = get(f"{url}/openapi.json").text
    known = get(f"{url}/openapi.json").json()["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= set(known)
    assert "$defs" not in text


def test_ready_names_each_check_that_fails() -> None:
    async def fails() -> None:
        raise Unavailable("Redis at redis://u:pw@h does not answer.", fix="start it.")

    async def hangs() -> None:
        await asyncio.sleep(60)

    async def breaks() -> None:
        raise KeyError("x")

    async def works() -> None:
        return

    checks = {"redis": fails, "slow": hangs, "odd": breaks, "good": works}
    with running(create_app("test", ServiceSettings(), checks=checks)) as url:
        response = get(f"{url}/readyz", timeout=10)
        assert get(f"{url}/livez").status_code == 200
    detail = response.json()["detail"]
    assert response.status_code == 503
    assert "redis: Redis at redis://***@h does not answer. Fix: start it." in detail
    assert "slow: no answer within 2 s" in detail
    assert "odd: KeyError" in detail
    assert "good" not in detail


def test_a_flood_of_ready_requests_runs_the_checks_once() -> None:
    num_runs = 0

    async def count() -> None:
        nonlocal num_runs
        num_runs += 1

    app = create_app("test", ServiceSettings(), checks={"count": count})
    with running(app) as url, httpx.Client(verify=False) as client:
        answers = [client.get(f"{url}/readyz") for _ in range(20)]
    assert all(answer.json()["checks"] == {"count": "ok"} for answer in answers)
    assert num_runs <= 2


def test_what_the_lifespan_raises_reaches_the_caller() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise Unavailable("no model")
        yield

    app = create_app("test", ServiceSettings(), lifespan=lifespan)
    with pytest.raises(Unavailable, match="no model"), running(app):
        pass
