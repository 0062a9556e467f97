"""A reward of the reward service as a judge; POST /v1/reward of a judge service as it runs."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from plaudit.client import ClientOptions, JudgeClient
from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit_judge.judges.reward_model import RewardModelJudge, RewardModelSpec

from ..adapters_server import Script, answer, wire_server
from ..conftest import ChatServer, Processes, judge_service

PROMPT = [Message(role="user", content="p")]
ONCE = ClientOptions(max_attempts=1, timeout_s=20.0)


def scored(*values: float | None) -> Script:
    scores = [
        {
            "total": value,
            "rewards": {"acc": value},
            "errors": {} if value is not None else {"acc": "no reference"},
        }
        for value in values
    ]
    return answer({"groups": [{"group_id": "rm", "scores": scores}]})


async def test_both_answers_are_scored_in_one_call_with_the_reference() -> None:
    async with wire_server("/v1/score", scored(0.5, 1.0)) as server:
        spec = RewardModelSpec(reward="acc", params={"x": 1})
        judge = RewardModelJudge("rm", spec, server.url, ONCE)
        found = await judge.rewards(PROMPT, ["1", "2"], "2", 10.0)
        await judge.aclose()
    assert [one.value for one in found] == [0.5, 1.0]
    (group,) = server.asked[0]["groups"]
    assert group["reference"] == {"answer": "2"}
    assert server.asked[0]["rewards"][0]["params"] == {"x": 1}


async def test_a_reward_that_is_missing_is_null_with_its_reason() -> None:
    async with wire_server("/v1/score", scored(None)) as server:
        judge = RewardModelJudge("rm", RewardModelSpec(reward="acc"), server.url, ONCE)
        (found,) = await judge.rewards(PROMPT, ["1"], None, 10.0)
        info = await judge.info()
        await judge.aclose()
    assert (found.value, found.reason) == (None, "no reference")
    assert not info.available


async def test_a_reward_service_that_is_away_is_unavailable() -> None:
    async with wire_server("/v1/score", answer({}, 503)) as server:
        judge = RewardModelJudge("rm", RewardModelSpec(reward="acc"), server.url, ONCE)
        with pytest.raises(Unavailable):
            await judge.rewards(PROMPT, ["1"], None, 5.0)
        await judge.aclose()


JUDGES: dict[str, dict[str, Any]] = {
    "long": {"kind": "rule", "rule": "longer"},
    "short": {"kind": "rule", "rule": "shorter"},
    "panel": {
        "kind": "jury",
        "judges": ["long", "short"],
        "combine": "weighted",
        "weights": [2.0, 1.0],
    },
    "people": {"kind": "human", "path": "/nowhere/verdicts.jsonl"},
}


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    env = {"PLAUDIT_JUDGE_JUDGES": json.dumps(JUDGES)}
    with judge_service(own_redis, _chat_server, **env) as processes:
        for name in ("long", "panel"):
            processes.start("worker", "--judge", name)
        yield processes


async def test_the_service_gives_rewards_and_says_what_they_compare_with(
    service: Processes,
) -> None:
    async with JudgeClient(service.url, ONCE) as client:
        request = JudgeRewardRequest(prompt=PROMPT, responses=["a", "ccc"], judge="long")
        response = await client.reward(request)
    assert response.rewards == [1.0, 3.0]
    assert response.comparable_within == "prompt"


async def test_a_judge_that_only_compares_gives_no_rewards(service: Processes) -> None:
    body = {"prompt": [{"role": "user", "content": "p"}], "responses": ["a"], "judge": "panel"}
    async with httpx.AsyncClient(base_url=service.url) as http:
        response = await http.post("/v1/reward", json=body)
    assert response.status_code == 422
    assert "those that do: long, short" in response.json()["detail"]


async def test_a_jury_compares_and_reports_its_members(service: Processes) -> None:
    async with JudgeClient(service.url, ONCE) as client:
        pair = PairwiseRequest(prompt=PROMPT, a="a", b="ccc", judge="panel")
        response = await client.pairwise(pair)
        group = TournamentRequest(prompt=PROMPT, responses=["1", "22", "333"], judge="panel")
        ranked = await client.tournament(group)
    (vote,) = response.votes
    assert (response.winner, vote.disagreement) == ("b", 0.5)
    assert [(one.judge, one.winner) for one in vote.panel] == [("long", "b"), ("short", "a")]
    assert [reward for reward in ranked.rewards if reward is not None] == ranked.rewards
    assert ranked.rewards.index(max(r for r in ranked.rewards if r is not None)) == 2


def test_a_worker_may_end_when_its_judge_lacks_something(service: Processes) -> None:
    lacking = service.start("worker", "--judge", "people", "--if-available")
    strict = service.start("worker", "--judge", "people")
    assert (lacking.wait(60), strict.wait(60)) == (0, 2)


async def test_a_judge_whose_file_is_missing_is_listed_and_the_service_starts(
    service: Processes,
) -> None:
    async with JudgeClient(service.url, ONCE) as client:
        listed = {judge.name: judge for judge in (await client.judges()).judges}
        assert not listed["people"].available
        assert "/nowhere/verdicts.jsonl" in (listed["people"].reason or "")
        pair = PairwiseRequest(prompt=PROMPT, a="a", b="b", judge="people")
        with pytest.raises(Rejected, match="not available"):
            await client.pairwise(pair)
