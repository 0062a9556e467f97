"""Every client against a service that has exactly the documented paths and contracts."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from plaudit.client import (
    ClientOptions,
    JudgeClient,
    RewardClient,
    RolloutClient,
    SandboxClient,
    TrainerClient,
)
from plaudit.config import ServiceSettings
from plaudit.errors import DeadlineExceeded, NotFound, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.job import JobView
from plaudit.schemas.judge import (
    JudgeList,
    PairwiseRequest,
    PairwiseResponse,
    RubricList,
    TournamentRequest,
    TournamentResponse,
    Usage,
)
from plaudit.schemas.policy import PolicyAnnouncement, PolicyState
from plaudit.schemas.reward import (
    Answer,
    RewardGroup,
    RewardList,
    RewardSpec,
    ScoreRequest,
    ScoreResponse,
)
from plaudit.schemas.rollout import (
    FinishedRollouts,
    RolloutAccepted,
    RolloutAck,
    RolloutAcked,
    RolloutPrompt,
    RolloutRequest,
)
from plaudit.schemas.run import RunStatus
from plaudit.schemas.sandbox import LanguageList, RunRequest, RunResult
from plaudit.service import JobVerb, add_job_routes, create_app
from plaudit.testing import running
from tests.shared.bare_status import BARE_STATUS

FAST = ClientOptions(timeout_s=5, backoff_s=0.02)
SCORE = ScoreRequest(
    groups=[RewardGroup(group_id="g", prompt=[], completions=[Answer(text="x")])],
    rewards=[RewardSpec(name="accuracy")],
)


def make_app() -> FastAPI:
    app = create_app("all", ServiceSettings())
    add_reward_and_judge(app)
    add_others(app)
    return app


def add_reward_and_judge(app: FastAPI) -> None:
    jobs: dict[str, JobView] = {}

    async def submit(request: dict[str, Any], job_id: str) -> None:
        result = {"echo": ScoreRequest.model_validate(request).rewards[0].name}
        jobs[job_id] = JobView(job_id=job_id, status="done", result=result)

    async def view(job_id: str) -> JobView | None:
        return jobs.get(job_id)

    add_job_routes(app, {"score": JobVerb(submit=submit, view=view)})

    @app.post("/v1/score")
    async def score(body: ScoreRequest) -> ScoreResponse:
        return ScoreResponse(groups=[])

    @app.get("/v1/rewards")
    async def rewards() -> RewardList:
        return RewardList(rewards=[])

    @app.post("/v1/pairwise")
    async def pairwise(body: PairwiseRequest) -> PairwiseResponse:
        return PairwiseResponse(winner="a", p_a=1.0, votes=[], usage=Usage())

    @app.post("/v1/tournament")
    async def tournament(body: TournamentRequest) -> TournamentResponse:
        return TournamentResponse(ratings=[], rewards=[], comparisons=[], usage=Usage())

    @app.get("/v1/judges")
    async def judges() -> JudgeList:
        return JudgeList(judges=[])

    @app.get("/v1/rubrics")
    async def rubrics() -> RubricList:
        return RubricList(rubrics=[])


def add_others(app: FastAPI) -> None:
    @app.post("/v1/run")
    async def run(body: RunRequest) -> RunResult:
        return RunResult(
            status="ok", exit_code=0, stdout=body.code, stderr="", wall_s=0, cpu_s=0,
            peak_memory_bytes=0, tier="strict",
        )  # fmt: skip

    @app.get("/v1/languages")
    async def languages() -> LanguageList:
        return LanguageList(languages={}, tier="strict", protections={})

    @app.get("/v1/info")
    async def info() -> dict[str, Any]:
        return {"network": "none"}

    @app.post("/v1/rollouts", status_code=202)
    async def submit(body: RolloutRequest) -> RolloutAccepted:
        return RolloutAccepted(accepted=[group.group_id for group in body.groups], existing=[])

    @app.get("/v1/rollouts")
    async def finished(run_id: str, max: int, wait: float) -> FinishedRollouts:
        assert (run_id, max, wait) == ("r 1/&", 8, 0.5)
        return FinishedRollouts(groups=[])

    @app.post("/v1/rollouts/ack")
    async def ack(body: RolloutAck) -> RolloutAcked:
        return RolloutAcked(acked=len(body.group_ids))

    @app.put("/v1/policy")
    async def announce(body: PolicyAnnouncement) -> PolicyState:
        return PolicyState(announced=body, replicas=[])

    @app.get("/v1/policy")
    async def policy() -> PolicyState:
        return PolicyState(announced=None, replicas=[])

    @app.get("/v1/status")
    async def status() -> RunStatus:
        return BARE_STATUS


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(make_app()) as url:
        yield url


async def test_the_reward_client_reaches_every_path(url: str) -> None:
    async with RewardClient(url, FAST) as client:
        assert await client.healthy()
        assert (await client.score(SCORE)).groups == []
        assert (await client.rewards()).rewards == []
        job = await client.submit_job("score", SCORE, idempotency_key="run/0/1 ü".encode().hex())
        assert (await client.job(job.job_id, wait_s=1)).result == {"echo": "accuracy"}


async def test_a_job_id_with_slashes_is_found(url: str) -> None:
    async with RewardClient(url, FAST) as client:
        job = await client.submit_job("score", SCORE, idempotency_key="run/0/1?x=#%2F/score")
        assert (await client.job(job.job_id)).job_id == job.job_id
        with pytest.raises(NotFound):
            await client.job("score.run/0/2/score")


async def test_the_judge_client_reaches_every_path(url: str) -> None:
    async with JudgeClient(url, FAST) as client:
        assert (await client.pairwise(PairwiseRequest(prompt=[], a="1", b="2"))).winner == "a"
        request = TournamentRequest(prompt=[], responses=["1", "2"])
        assert (await client.tournament(request)).ratings == []
        assert (await client.judges()).judges == []
        assert (await client.rubrics()).rubrics == []


async def test_the_sandbox_client_reaches_every_path(url: str) -> None:
    async with SandboxClient(url, FAST) as client:
        assert (await client.run(RunRequest(code="print(1)"))).stdout == "print(1)"
        assert (await client.languages()).tier == "strict"
        assert await client.info() == {"network": "none"}


async def test_the_rollout_client_reaches_every_path(url: str) -> None:
    prompt = RolloutPrompt(group_id="g1", prompt=[Message(role="user", content="?")], n=2)
    announcement = PolicyAnnouncement(run_id="r", version=1, path="/x", manifest_sha256="0" * 64)
    async with RolloutClient(url, FAST) as client:
        accepted = await client.submit(RolloutRequest(run_id="r", groups=[prompt]))
        assert accepted.accepted == ["g1"]
        assert (await client.finished("r 1/&", max_groups=8, wait_s=0.5)).groups == []
        assert (await client.ack(RolloutAck(run_id="r", group_ids=["g1"]))).acked == 1
        assert (await client.announce(announcement)).announced == announcement
        assert (await client.policy()).announced is None


async def test_the_trainer_client_refuses_the_status_of_another_run(url: str) -> None:
    async with TrainerClient(url, FAST) as client:
        assert (await client.status("demo-1")).state == "training"
        with pytest.raises(NotFound, match="demo-2"):
            await client.status("demo-2")


def test_the_sync_face_has_the_same_methods_blocking(url: str) -> None:
    with RewardClient(url, FAST).sync() as reward:
        assert reward.healthy()
        assert reward.score(SCORE, idempotency_key="k", timeout_s=3).groups == []
    with SandboxClient(url, FAST).sync() as sandbox:
        assert sandbox.run(RunRequest(code="1")).stdout == "1"
    with RolloutClient(url, FAST).sync() as rollout:
        assert rollout.finished("r 1/&", 8, 0.5).groups == []
    with JudgeClient(url, FAST).sync() as judge:
        assert judge.judges().judges == []
    with TrainerClient(url, FAST).sync() as trainer:
        assert trainer.status("demo-1").step == 1


def test_the_sync_face_raises_the_same_errors_and_ends_its_thread(url: str) -> None:
    threads = threading.active_count()
    client = RewardClient("http://127.0.0.1:1", FAST).sync()
    with pytest.raises(Unavailable, match="cannot be connected to"):
        client.rewards()
    client.close()
    client.close()
    assert threading.active_count() == threads


async def test_the_sync_face_works_where_a_loop_runs_already(url: str) -> None:
    with RewardClient(url, FAST).sync() as client:
        answers = await asyncio.gather(*(asyncio.to_thread(client.score, SCORE) for _ in range(8)))
    assert len(answers) == 8


def test_a_sync_call_has_the_deadline_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with RewardClient(url, FAST).sync() as client, pytest.raises(DeadlineExceeded):
            client.score(SCORE, timeout_s=0.3)
