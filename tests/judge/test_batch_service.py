"""Jobs of a judge that asks in batches: the API, a real Redis, workers that come and go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from plaudit.client import ClientOptions, JudgeClient
from plaudit.errors import Rejected
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit.testing import running
from plaudit_judge.app import make_app
from plaudit_judge.settings import JudgeSettings
from plaudit_judge.worker import work

from .batch_server import BatchServer, batch_server, until

pytest.importorskip("anthropic", reason="needs the extra `claude`")

PROMPT = [Message(role="user", content="Count.")]
CLAUDE = {
    "kind": "claude",
    "model": "claude-x",
    "batch": True,
    "batch_wait_s": 0.2,
    "batch_poll_s": 0.02,
    "structured": "off",
}


@pytest.fixture
async def server() -> AsyncIterator[BatchServer]:
    async with batch_server() as server:
        yield server


@pytest.fixture
def settings(server: BatchServer, redis_url: str, tmp_path: Path) -> JudgeSettings:
    """A day's work does not fit into deadline_s."""
    (tmp_path / "key").write_text("sk-secret")
    claude = CLAUDE | {"base_url": server.url, "api_key_file": str(tmp_path / "key")}
    return JudgeSettings.model_validate(
        {"port": 0, "redis_url": redis_url, "deadline_s": 0.01, "judges": {"offline": claude}}
    )


@pytest.fixture
async def client(settings: JudgeSettings) -> AsyncIterator[JudgeClient]:
    with running(make_app(settings), settings) as url:
        async with JudgeClient(url, ClientOptions(max_attempts=1, timeout_s=20.0)) as client:
            yield client


def pair(a: str) -> PairwiseRequest:
    return PairwiseRequest(prompt=PROMPT, a=a, b="2", judge="offline")


async def test_only_jobs_can_wait_for_a_batch(client: JudgeClient) -> None:
    with pytest.raises(Rejected, match="POST /v1/jobs"):
        await client.pairwise(pair("1"))


async def test_a_worker_that_ends_in_the_middle_pays_for_nothing_twice(
    client: JudgeClient, server: BatchServer, settings: JudgeSettings
) -> None:
    server.polls_to_end = 10**6
    jobs = [(await client.submit_job("pairwise", pair(str(a)))).job_id for a in range(3, 9)]
    first = asyncio.create_task(work(settings, "offline", asyncio.Event()))
    await until(lambda: server.num_polls.get("msgbatch_0", 0) > 0)
    first.cancel()
    await asyncio.wait([first])
    server.polls_to_end, stop = 1, asyncio.Event()
    second = asyncio.create_task(work(settings, "offline", stop))
    views = [await client.job(job, wait_s=20.0) for job in jobs]
    assert {view.status for view in views} == {"done"}
    assert server.sizes == [12]
    tournament = TournamentRequest(prompt=PROMPT, responses=["3", "2"], judge="offline", swap=True)
    job = await client.submit_job("tournament", tournament)
    result = (await client.job(job.job_id, wait_s=20.0)).result
    assert result is not None
    assert result["rewards"] == [1.5, 1.5]
    stop.set()
    await second


def test_a_jury_cannot_wait_for_a_batch() -> None:
    judges = {"c": CLAUDE, "panel": {"kind": "jury", "judges": ["c", "self"]}}
    with pytest.raises(ValidationError, match="its member 'c' has batch = true"):
        JudgeSettings.model_validate({"judges": judges})
