import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from plaudit.config import ServiceSettings
from plaudit.schemas.job import JobView
from plaudit.schemas.reward import ScoreRequest
from plaudit.service import JobVerb, add_job_routes, create_app
from plaudit.testing.server import AppThread

from .keyed import PLAIN, bearer, key_of, named_keys

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)

EXTERNAL, OTHER = key_of("external"), key_of("other")
ECHO = {"verb": "echo", "request": {}}


class Board:
    """The jobs of one verb, in memory."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobView] = {}
        self.num_started = 0

    async def submit(self, request: dict[str, Any], job_id: str) -> None:
        if job_id not in self.jobs:
            self.num_started += 1
            self.jobs[job_id] = JobView(job_id=job_id, status="queued")

    async def view(self, job_id: str) -> JobView | None:
        return self.jobs.get(job_id)

    async def wait(self, job_id: str, timeout_s: float) -> JobView | None:
        await asyncio.sleep(min(timeout_s, 0.2))
        return self.jobs.get(job_id)

    def finish(self, job_id: str) -> None:
        self.jobs[job_id] = JobView(job_id=job_id, status="done", result={"x": 1})


class Setup:
    def __init__(self, server: AppThread, echo: Board, waited: Board) -> None:
        self.server, self.url = server, server.url
        self.echo, self.waited = echo, waited

    def post(self, body: dict[str, Any], key: str | None = None, by: str = PLAIN) -> httpx.Response:
        headers = bearer(by) | ({"idempotency-key": key} if key else {})
        return post(f"{self.url}/v1/jobs", json=body, headers=headers)

    def get(self, job_id: str, wait: float | str = 0, by: str = PLAIN) -> httpx.Response:
        return get(
            f"{self.url}/v1/jobs/{job_id}", params={"wait": wait}, timeout=20, headers=bearer(by)
        )


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    echo, waited = Board(), Board()
    keys = named_keys(tmp_path, {"external": {"scopes": ["echo"]}, "other": {}})
    settings = ServiceSettings(api_keys=[SecretStr(PLAIN)], keys=keys, drain_timeout_s=5)
    app = create_app("test", settings)
    verbs = {
        "echo": JobVerb(submit=echo.submit, view=echo.view),
        "waited": JobVerb(submit=waited.submit, view=waited.view, wait=waited.wait),
        "score": JobVerb(submit=echo.submit, view=echo.view, request_model=ScoreRequest),
    }
    add_job_routes(app, verbs)
    server = AppThread(app, app.state.settings)
    server.start()
    yield Setup(server, echo, waited)
    server.stop()


def test_a_job_is_accepted_and_can_be_looked_at(setup: Setup) -> None:
    response = setup.post({"verb": "echo", "request": {}})
    assert response.status_code == 202
    job_id = response.json()["job_id"]
    assert setup.get(job_id).json()["status"] == "queued"
    setup.echo.finish(job_id)
    assert setup.get(job_id).json()["result"] == {"x": 1}


def test_the_same_key_is_the_same_job(setup: Setup) -> None:
    first = setup.post({"verb": "echo", "request": {}}, key="run/0/1/score")
    setup.echo.finish(first.json()["job_id"])
    second = setup.post({"verb": "echo", "request": {}}, key="run/0/1/score")
    assert second.json() == {"job_id": first.json()["job_id"], "status": "done"}
    assert setup.echo.num_started == 1
    assert setup.get(first.json()["job_id"]).status_code == 200


def test_without_a_key_every_call_is_a_new_job(setup: Setup) -> None:
    found = {setup.post({"verb": "echo", "request": {}}).json()["job_id"] for _ in range(3)}
    assert len(found) == 3


def test_the_same_key_of_another_caller_is_another_job(setup: Setup) -> None:
    found = [setup.post(ECHO, "k", by).json()["job_id"] for by in (PLAIN, EXTERNAL, OTHER)]
    assert found == ["echo.k", "echo@external.k", "echo@other.k"]
    assert setup.echo.num_started == 3


@pytest.mark.parametrize("key", ["k", None])
def test_only_its_caller_and_plain_keys_find_a_job(setup: Setup, key: str | None) -> None:
    job_id = setup.post(ECHO, key, EXTERNAL).json()["job_id"]
    assert setup.get(job_id, by=EXTERNAL).json()["status"] == "queued"
    assert setup.get(job_id, by=PLAIN).json()["status"] == "queued"
    hidden, missing = setup.get(job_id, by=OTHER), setup.get(f"{job_id}x", by=OTHER)
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json()["detail"] == missing.json()["detail"].replace(f"{job_id}x", job_id)


@pytest.mark.parametrize("key", ["external.k", "@external.k", "echo@external.k", "other@k"])
def test_no_key_makes_one_callers_job_anothers(setup: Setup, key: str) -> None:
    setup.post(ECHO, "k", EXTERNAL)
    for by, prefix in ((PLAIN, "echo."), (OTHER, "echo@other.")):
        job_id = setup.post(ECHO, key, by).json()["job_id"]
        assert job_id == prefix + key
        assert setup.get(job_id, by=EXTERNAL).status_code == 404
    assert setup.echo.num_started == 3


def test_a_job_needs_the_scope_of_its_verb(setup: Setup) -> None:
    response = setup.post({"verb": "waited", "request": {}}, by=EXTERNAL)
    assert response.status_code == 403
    assert "no scope 'waited'" in response.json()["detail"]
    assert setup.waited.num_started == 0
    assert setup.get("waited@external.k", by=EXTERNAL).status_code == 403


def test_waiting_returns_as_soon_as_the_job_is_finished(setup: Setup) -> None:
    job_id = setup.post({"verb": "echo", "request": {}}).json()["job_id"]
    timer = threading.Timer(0.2, setup.echo.finish, (job_id,))
    timer.start()
    started = time.monotonic()
    assert setup.get(job_id, wait=10).json()["status"] == "done"
    timer.join()
    assert time.monotonic() - started < 8


def test_waiting_ends_with_the_job_as_it_is(setup: Setup) -> None:
    for verb in ("echo", "waited"):
        job_id = setup.post({"verb": verb, "request": {}}).json()["job_id"]
        started = time.monotonic()
        assert setup.get(job_id, wait=0.3).json()["status"] == "queued"
        assert time.monotonic() - started < 8


@pytest.mark.parametrize("wait", [-1, 61, "nan", "x"])
def test_the_wait_is_bounded(setup: Setup, wait: float | str) -> None:
    response = setup.get("echo.x", wait=wait)
    assert response.status_code == 422
    assert "wait" in response.json()["detail"]


def test_unknown_jobs_are_404_and_unknown_verbs_422(setup: Setup) -> None:
    assert setup.get("echo.nobody").status_code == 404
    assert setup.get("nothing").status_code == 404
    response = setup.post({"verb": "ecko", "request": {}})
    assert response.status_code == 422
    assert "echo" in response.json()["detail"]


def test_a_wrong_request_is_422_at_once(setup: Setup) -> None:
    response = setup.post({"verb": "score", "request": {"groups": []}})
    assert response.status_code == 422
    assert "rewards" in response.json()["detail"]
    assert setup.echo.num_started == 0


def test_shutting_down_does_not_wait_for_waiters(setup: Setup) -> None:
    job_id = setup.post({"verb": "echo", "request": {}}).json()["job_id"]
    answers: list[httpx.Response] = []
    waiter = threading.Thread(target=lambda: answers.append(setup.get(job_id, wait=15)))
    waiter.start()
    time.sleep(0.3)
    started = time.monotonic()
    setup.server.stop()
    waiter.join()
    assert time.monotonic() - started < 8
    assert answers[0].json()["status"] == "queued"
