"""The service as it runs: API and worker processes, a real Redis, a server on the other side."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from aiohttp import web

from plaudit.client import ClientOptions, JudgeClient
from plaudit.errors import Conflict, DeadlineExceeded, NotFound, QueueFull, Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest, Scale, TournamentRequest
from plaudit.schemas.judge_calibrate import CalibrateRequest, LabelledPair
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest

from .conftest import ChatServer, Processes, completion, error, judge_service, larger_number_wins

PROMPT = [Message(role="user", content="Count.")]
MAX_QUEUED = 60
HASTY_DEADLINE_S = 1.0
JUDGES = {
    "other": {"kind": "self"},
    "hasty": {"kind": "self"},
    "claude": {
        "kind": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "model": "m",
        "api_key_env": "NO_SUCH_KEY",
    },
}
ONCE = ClientOptions(max_attempts=1, timeout_s=50.0)


@pytest.fixture(scope="module")
def service(own_redis: str, _chat_server: ChatServer) -> Iterator[Processes]:
    env = {
        "PLAUDIT_JUDGE_JUDGES": json.dumps(JUDGES),
        "PLAUDIT_JUDGE_MAX_QUEUED": str(MAX_QUEUED),
    }
    with judge_service(own_redis, _chat_server, **env) as processes:
        hasty = {"PLAUDIT_JUDGE_DEADLINE_S": str(HASTY_DEADLINE_S)}
        processes.start("worker", "--judge", "hasty", **hasty)
        yield processes


@pytest.fixture
async def client(service: Processes, chat: ChatServer) -> Any:
    async with JudgeClient(service.url, ONCE) as client:
        yield client


def pair(a: str = "9", b: str = "2", **fields: Any) -> PairwiseRequest:
    return PairwiseRequest(prompt=PROMPT, a=a, b=b, rubric="demo", **fields)


def group(*responses: str, **fields: Any) -> TournamentRequest:
    return TournamentRequest(prompt=PROMPT, responses=list(responses), rubric="demo", **fields)


async def test_pairwise_answers(client: JudgeClient) -> None:
    response = await client.pairwise(pair())
    assert (response.winner, response.p_a, response.usage.calls) == ("a", 1.0, 2)


async def test_tournament_answers(client: JudgeClient) -> None:
    response = await client.tournament(group("9", "7", "5", "3"))
    assert [rating and round(rating, 4) for rating in response.ratings] == [
        164.9916, 54.8756, -54.1356, -165.7316,
    ]  # fmt: skip


async def test_pointwise_and_listwise_answer(client: JudgeClient, chat: ChatServer) -> None:
    chat.behave = lambda body: completion("Score: 4")
    one = PointwiseRequest(prompt=PROMPT, response="1", rubric="self_rewarding")
    scored = await client.pointwise(one)
    assert (scored.score, scored.fraction, scored.rubric.name) == (4.0, 0.8, "self_rewarding")
    chat.behave = lambda body: completion("Response A: 4\nResponse B: 4")
    several = ListwiseRequest(prompt=PROMPT, responses=["1", "2"], rubric="self_rewarding")
    assert (await client.listwise(several)).ranks == [1.5, 1.5]
    accepted = await client.submit_job("listwise", several)
    view = await client.job(accepted.job_id, wait_s=30.0)
    assert view.result["scores"] == [4.0, 4.0]


async def test_a_rubric_for_another_mode_is_422(client: JudgeClient, chat: ChatServer) -> None:
    with pytest.raises(Rejected, match="'demo' cannot be used pointwise; those that can: code"):
        await client.pointwise(PointwiseRequest(prompt=PROMPT, response="1", rubric="demo"))
    assert chat.asked == []


async def test_a_tournament_of_several_rounds_answers_with_intervals(client: JudgeClient) -> None:
    request = group(*map(str, range(6)), schedule="adaptive", rating="bradley_terry", lane="eval")
    response = await client.tournament(request)
    assert (response.rewards[0], response.rewards[5]) == (0.0, 3.0)
    assert response.intervals is not None
    assert len(response.intervals) == 6


async def test_rules_that_make_no_sense_together_are_422(service: Processes) -> None:
    async with httpx.AsyncClient(base_url=service.url) as http:
        body = group("1", "2").model_dump(mode="json") | {"rating": "win_rate", "elo_k": 8}
        answer = await http.post("/v1/tournament", json=body)
    assert answer.status_code == 422
    assert "elo_k = 8.0 has no effect with rating = 'win_rate'" in answer.text


async def test_openapi_shows_the_choices(service: Processes) -> None:
    async with httpx.AsyncClient(base_url=service.url) as http:
        schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    fields = schemas["TournamentRequest"]["properties"]
    assert "adaptive" in fields["schedule"]["enum"]
    assert "bt_weighted" in fields["rating"]["enum"]
    assert fields["reward_form"]["enum"] == ["min_max", "z_score", "rank"]
    assert "virtual ties" in fields["bt_prior"]["description"]


async def test_calibration_asks_and_compares(client: JudgeClient) -> None:
    pairs = [LabelledPair(prompt=PROMPT, a="9", b=b, gold="a") for b in ("2", "3")]
    request = CalibrateRequest(pairs=pairs, rubric="demo")
    response = await client.calibrate(request, idempotency_key="calibration")
    assert response.winners is not None
    assert response.winners.confusion["a"].a == response.num_items == 2
    view = await client.job("calibrate.calibration")
    assert view.result == response.model_dump(mode="json")


async def test_the_eval_lane_answers_too(client: JudgeClient) -> None:
    assert (await client.pairwise(pair(lane="eval"))).winner == "a"


async def test_sr_r1_is_the_default_rubric(client: JudgeClient, chat: ChatServer) -> None:
    chat.behave = lambda body: completion("Winner: response A")
    request = PairwiseRequest(prompt=PROMPT, a="1", b="2", reference="3")
    assert (await client.pairwise(request)).winner == "tie"
    assert "Relevance and coverage" in chat.asked[0]["messages"][1]["content"]


async def test_a_job_is_the_same_as_a_call(client: JudgeClient) -> None:
    accepted = await client.submit_job("tournament", group("1", "2"))
    view = await client.job(accepted.job_id, wait_s=30.0)
    assert view.status == "done"
    assert view.result == (await client.tournament(group("1", "2"))).model_dump(mode="json")


async def test_an_unknown_job_is_not_found(client: JudgeClient) -> None:
    with pytest.raises(NotFound):
        await client.job("tournament.nope")


async def test_the_same_key_is_judged_once(client: JudgeClient, chat: ChatServer) -> None:
    chat.delay_s = 0.2
    asked = [client.pairwise(pair(), idempotency_key="k1") for _ in range(10)]
    responses = await asyncio.gather(*asked)
    assert all(response == responses[0] for response in responses)
    assert len(chat.asked) == 2
    assert await client.pairwise(pair(), idempotency_key="k1") == responses[0]
    assert len(chat.asked) == 2


async def test_a_key_that_stands_for_another_request_is_a_conflict(client: JudgeClient) -> None:
    await client.pairwise(pair("9", "2"), idempotency_key="k2")
    with pytest.raises(Conflict, match="Idempotency-Key was used for another request"):
        await client.pairwise(pair("2", "9"), idempotency_key="k2")


async def test_judges_and_rubrics_are_listed(client: JudgeClient) -> None:
    judges = (await client.judges()).judges
    assert [judge.name for judge in judges] == ["claude", "hasty", "other", "self"]
    assert (judges[3].kind, judges[3].model, judges[3].available) == ("self", "policy-model", True)
    rubrics = {rubric.name: rubric for rubric in (await client.rubrics()).rubrics}
    assert rubrics["demo"].modes == ["pairwise"]
    assert (rubrics["sr_r1"].scale, len(rubrics["sr_r1"].criteria)) == (Scale(min=0, max=6), 6)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"judge": "gpt"}, "judge: there is no 'gpt'; there are claude, hasty, other, self"),
        ({"rubric": "x"}, "rubric: there is no 'x'; there are code, demo, efficiency"),
        ({"reference": "r"}, "reference: the rubric 'demo' has no place"),
        ({"prompt": []}, "prompt: has no messages"),
    ],
)
async def test_a_request_that_cannot_succeed_is_422(
    client: JudgeClient, chat: ChatServer, fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Rejected, match=complaint):
        await client.pairwise(pair().model_copy(update=fields))
    assert chat.asked == []


async def test_an_unknown_field_is_named(client: JudgeClient, service: Processes) -> None:
    async with httpx.AsyncClient(base_url=service.url) as http:
        body = {"prompt": [], "a": "1", "b": "2", "vots": 3}
        response = await http.post("/v1/pairwise", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"] == "vots"


async def test_a_question_too_long_for_the_judge_is_422(
    client: JudgeClient, chat: ChatServer
) -> None:
    chat.behave = lambda body: error(400, "maximum context length is 1024 tokens")
    for _ in range(2):
        with pytest.raises(Rejected, match="maximum context length"):
            await client.pairwise(pair(swap=False), idempotency_key="long")
    assert len(chat.asked) == 1, "the answer to the second is that to the first"


@pytest.mark.parametrize("failure", ["500", "garbage"])
async def test_a_judge_that_stays_broken_is_503_and_never_a_verdict(
    client: JudgeClient, chat: ChatServer, failure: str
) -> None:
    def broken(body: dict[str, Any]) -> web.Response:
        return error(500) if failure == "500" else web.Response(text="Winner: response A")

    chat.behave = broken
    request = group("1", "2", judge="hasty")
    with pytest.raises(Unavailable) as caught:
        await client.tournament(request, idempotency_key=f"broken-{failure}")
    assert caught.value.retryable
    chat.behave = larger_number_wins
    response = await client.tournament(request, idempotency_key=f"broken-{failure}")
    assert response.rewards == [0.0, 3.0]


async def test_a_judge_that_hangs_is_a_deadline(client: JudgeClient, chat: ChatServer) -> None:
    chat.delay_s = 10.0
    started_s = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await client.pairwise(pair(swap=False, judge="hasty"))
    assert HASTY_DEADLINE_S < time.monotonic() - started_s < 10.0


async def test_a_failed_job_says_why_in_words(client: JudgeClient, chat: ChatServer) -> None:
    chat.behave = lambda body: error(400, "maximum context length is 1024 tokens")
    accepted = await client.submit_job("pairwise", pair())
    view = await client.job(accepted.job_id, wait_s=30.0)
    assert (view.status, view.result) == ("failed", None)
    assert "maximum context length" in (view.error or "")
    assert not (view.error or "").startswith("{")


async def test_a_worker_killed_in_the_middle_changes_nothing_but_time(
    client: JudgeClient, chat: ChatServer, service: Processes
) -> None:
    victim = service.start("worker", "--judge", "other")
    request = group("4", "3", "2", "1", judge="other")
    await client.tournament(request, idempotency_key="warm")
    chat.delay_s, asked = 0.5, len(chat.asked)
    call = asyncio.create_task(client.tournament(request, idempotency_key="worker-killed"))
    while len(chat.asked) == asked:
        await asyncio.sleep(0.01)
    service.kill(victim)
    chat.delay_s = 0.0
    successor = service.start("worker", "--judge", "other")
    response = await call
    assert response.rewards[0] == 3.0
    assert response.usage.calls == 6
    assert await client.tournament(request, idempotency_key="worker-killed") == response
    successor.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(successor.wait, 30) == 0


async def test_the_api_killed_in_the_middle_hands_the_answer_to_the_next_one(
    client: JudgeClient, chat: ChatServer, service: Processes
) -> None:
    chat.delay_s = 0.5
    call = asyncio.create_task(client.pairwise(pair(), idempotency_key="api-killed"))
    while not chat.asked:
        await asyncio.sleep(0.01)
    service.kill(service.api)
    with pytest.raises(Unavailable):
        await call
    service.start("api")
    await asyncio.to_thread(service.wait_until_ready)
    response = await client.pairwise(pair(), idempotency_key="api-killed")
    assert response.winner == "a"
    assert len(chat.asked) == 2


async def test_a_full_queue_is_429_and_a_stopped_worker_hands_its_work_back(
    client: JudgeClient, chat: ChatServer, service: Processes
) -> None:
    """No worker drains `other` here; the service takes MAX_QUEUED unfinished requests."""
    submitting = [client.submit_job("pairwise", pair(judge="other")) for _ in range(MAX_QUEUED)]
    jobs = await asyncio.gather(*submitting)
    with pytest.raises(QueueFull) as caught:
        await client.pairwise(pair(judge="other"))
    assert caught.value.retry_after_s is not None
    chat.delay_s = 30.0
    worker = service.start("worker", "--judge", "other", PLAUDIT_JUDGE_DRAIN_TIMEOUT_S="0")
    while len(chat.asked) < 2:
        await asyncio.sleep(0.01)
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0
    chat.delay_s = 0.0
    service.start("worker", "--judge", "other")
    views = await asyncio.gather(*(client.job(job.job_id, wait_s=30.0) for job in jobs))
    assert {view.status for view in views} == {"done"}


async def test_a_judge_without_its_key_is_listed_refused_and_has_no_worker(
    client: JudgeClient, service: Processes
) -> None:
    """The service started all the same."""
    listed = {judge.name: judge for judge in (await client.judges()).judges}
    assert not listed["claude"].available
    assert "NO_SUCH_KEY" in (listed["claude"].reason or "")
    with pytest.raises(Rejected, match="NO_SUCH_KEY"):
        await client.pairwise(pair(judge="claude"))
    workers = [service.start("worker", "--judge", name) for name in ("claude", "nobody")]
    assert [await asyncio.to_thread(worker.wait, 60) for worker in workers] == [2, 2]


async def test_many_pairs_at_once_are_all_judged_within_the_bound(
    service: Processes, chat: ChatServer
) -> None:
    """More than the queue holds: those over the bound are refused and sent again."""
    chat.delay_s = 0.01
    async with JudgeClient(service.url, ClientOptions(max_attempts=20)) as client:
        asked = (client.pairwise(pair(str(i), "0", swap=False)) for i in range(1, 121))
        responses = await asyncio.gather(*asked)
    assert {response.winner for response in responses} == {"a"}
    assert chat.max_running <= 64


async def test_metrics_show_the_queue_of_every_judge(service: Processes) -> None:
    async with httpx.AsyncClient(base_url=service.url) as http:
        text = (await http.get("/metrics")).text
    for judge in ("self", *JUDGES):
        assert f'plaudit_queue_lag{{lane="train",queue="judge-{judge}.train"}}' in text
        assert f'plaudit_queue_dead_letters{{queue="judge-{judge}.train"}}' in text


async def test_a_caller_in_a_hurry_hears_what_its_job_is_doing_before_it_gives_up(
    client: JudgeClient, chat: ChatServer
) -> None:
    chat.delay_s = 7.0
    with pytest.raises(DeadlineExceeded, match=r"had not answered after [234][.\d]* s \(running\)"):
        await client.pairwise(pair(), timeout_s=5)
