"""The cache as it is used: two worker processes, a real Redis, an endpoint that counts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from plaudit.client import ClientOptions, JudgeClient
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest
from plaudit_judge.cache_store import CLAIM_S

from .conftest import ChatServer, Processes, judge_service

PROMPT = [Message(role="user", content="Count.")]
NUM_REQUESTS = 200


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    """Two workers judge as `local`; `mortal` has none yet."""
    spec = {"kind": "openai", "base_url": _chat_server.base_url, "model": "policy-model"}
    env = {"PLAUDIT_JUDGE_JUDGES": json.dumps({"local": spec, "mortal": spec})}
    with judge_service(own_redis, _chat_server, workers=("local", "local"), **env) as processes:
        yield processes


@pytest.fixture
async def client(service: Processes, chat: ChatServer) -> AsyncIterator[JudgeClient]:
    async with JudgeClient(service.url, ClientOptions(timeout_s=50.0)) as client:
        yield client


def pair(a: str, judge: str = "local", *, cache: bool = True, votes: int = 1) -> PairwiseRequest:
    return PairwiseRequest(
        prompt=PROMPT, a=a, b="2", rubric="demo", judge=judge, cache=cache, votes=votes
    )


async def test_equal_requests_over_two_workers_make_one_call_for_each_order(
    client: JudgeClient, chat: ChatServer
) -> None:
    await asyncio.gather(*(client.pairwise(pair(str(a))) for a in range(3, 9)))
    chat.asked.clear()
    chat.delay_s = 0.5
    responses = await asyncio.gather(*(client.pairwise(pair("9")) for _ in range(NUM_REQUESTS)))
    assert {response.winner for response in responses} == {"a"}
    assert len(chat.asked) == 2
    assert sum(response.usage.calls for response in responses) == 2
    assert sum(response.usage.cache_hits for response in responses) == 2 * NUM_REQUESTS - 2
    assert sum(response.usage.prompt_tokens for response in responses) == 40


@pytest.mark.parametrize("request_", [pair("1", cache=False), pair("1", votes=2)])
async def test_votes_and_who_wants_none_are_asked_anew(
    client: JudgeClient, chat: ChatServer, request_: PairwiseRequest
) -> None:
    responses = [await client.pairwise(request_) for _ in range(2)]
    assert [response.usage.cache_hits for response in responses] == [0, 0]
    assert len(chat.asked) == 4 * request_.votes


async def test_when_the_worker_that_asks_is_killed_the_other_one_answers_within_seconds(
    client: JudgeClient, chat: ChatServer, service: Processes
) -> None:
    """One job in each worker: equal jobs, and the first worker holds the claims when it dies."""
    request = pair("7", judge="mortal")
    worker = ("worker", "--judge", "mortal")
    victim = service.start(*worker, PLAUDIT_JUDGE_WORKER_CONCURRENCY="1")
    chat.delay_s = 40.0
    jobs = [(await client.submit_job("pairwise", request)).job_id for _ in range(2)]
    while len(chat.asked) < 2:
        await asyncio.sleep(0.01)
    service.start(*worker)
    while {(await client.job(job)).status for job in jobs} != {"running"}:
        await asyncio.sleep(0.02)
    chat.delay_s = 0.0
    assert len(chat.asked) == 2
    service.kill(victim)
    started_s = time.monotonic()
    views = [await client.job(job, wait_s=30.0) for job in jobs]
    assert time.monotonic() - started_s < 4 * CLAIM_S
    assert [view.status for view in views] == ["done", "done"]
    usages = [view.result["usage"] for view in views if view.result]
    assert sum(usage["calls"] for usage in usages) == len(chat.asked) - 2 == 2
    assert sum(usage["cache_hits"] for usage in usages) == 2
