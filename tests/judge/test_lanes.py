"""A lane never starves the other: a real worker and Redis, and an endpoint that takes its time."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plaudit.client import ClientOptions, JudgeClient
from plaudit.schemas.common import Lane, Message
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest

from .conftest import ChatServer, Processes, judge_service

PROMPT = [Message(role="user", content="Count.")]
LATENCY_S = 0.25
WORKER_CONCURRENCY = 6
"""Requests of each lane at once: with 56 calls each, more than 300 wait, for 5 s, for 16 slots."""
SELF = {"kind": "self", "max_concurrency": 16}


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    env = {
        "PLAUDIT_JUDGE_JUDGES": json.dumps({"self": SELF}),
        "PLAUDIT_JUDGE_WORKER_CONCURRENCY": str(WORKER_CONCURRENCY),
        "PLAUDIT_JUDGE_MAX_QUEUED": str(2 * WORKER_CONCURRENCY),
    }
    with judge_service(own_redis, _chat_server, **env) as processes:
        yield processes


def group(lane: Lane, seed: int) -> TournamentRequest:
    responses = [str(100 * seed + i) for i in range(8)]
    return TournamentRequest(
        prompt=PROMPT, responses=responses, rubric="demo", lane=lane, cache=False, swap=True
    )


@pytest.mark.parametrize(("crowd", "lane"), [("eval", "train"), ("train", "eval")])
async def test_a_pair_of_one_lane_is_judged_at_once_while_hundreds_of_calls_of_the_other_wait(
    service: Processes, chat: ChatServer, crowd: Lane, lane: Lane
) -> None:
    """The worker holds all that it may hold of the crowd, and the crowd's queue is full."""
    pair = PairwiseRequest(prompt=PROMPT, a="9", b="2", rubric="demo", lane=lane, cache=False)
    async with JudgeClient(service.url, ClientOptions(timeout_s=60.0)) as client:
        await client.pairwise(pair)  # everything is up
        chat.delay_s = LATENCY_S
        before = len(chat.asked)
        jobs = [
            await client.submit_job(
                "tournament", group(crowd, seed), idempotency_key=f"{crowd}{seed}"
            )
            for seed in range(2 * WORKER_CONCURRENCY)
        ]
        while len(chat.asked) < before + 16:
            await asyncio.sleep(0.01)
        started_s = time.monotonic()
        response = await client.pairwise(pair)
        took_s = time.monotonic() - started_s
        views: list[Any] = await asyncio.gather(*(client.job(job.job_id) for job in jobs))
        chat.delay_s = 0.0
        done = await asyncio.gather(*(client.job(job.job_id, wait_s=50.0) for job in jobs))
    assert response.winner == "a"
    assert {view.status for view in views} == {"running", "queued"}, "the crowd was still there"
    assert took_s < 6 * LATENCY_S
    assert {view.status for view in done} == {"done"}
