import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from plaudit.config import ServiceSettings
from plaudit.schemas.job import JobView
from plaudit.schemas.reward import ScoreRequest
from plaudit.service import JobVerb, add_job_routes, create_app
from plaudit.testing.server import AppThread

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)


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

    def post(self, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        headers = {"idempotency-key": key} if key else {}
        return post(f"{self.url}/v1/jobs", json=body, headers=headers)

    def get(self, job_id: str, wait: float | str = 0) -> httpx.Response:
        return get(f"{self.url}/v1/jobs/{job_id}", params={"wait": wait}, timeout=20)


@pytest.fixture
def setup() -> Iterator[Setup]:
    echo, waited = Board(), Board()
    app = create_app("test", ServiceSettings(drain_timeout_s=5))
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


def test_waiting_returns_as_soon_as_the_job_is_finished(setup: Setup) -> None:
    job_id = setup.post({"verb": "echo", "request": {}}).json()["job_id"]
    timer = threading.Timer(0.2, setup.echo.finish, (job_id,))
    timer.start()
    started = time.monotonic()
    assert setup.get(job_id, wait=10).json()["status"] == "done"
    timer.join()
    assert time.monotonic() - started < 2


def test_waiting_ends_with_the_job_as_it_is(setup: Setup) -> None:
    for verb in ("echo", "waited"):
        job_id = setup.post({"verb": verb, "request": {}}).json()["job_id"]
        started = time.monotonic()
        assert setup.get(job_id, wait=0.3).json()["status"] == "queued"
        assert time.monotonic() - started < 2


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
    assert time.monotonic() - started < 2
    assert answers[0].json()["status"] == "queued"
