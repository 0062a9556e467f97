"""The HTTP API over a real Redis and a real socket; groups are finished by hand."""

import asyncio

import httpx
import pytest
from redis.asyncio import Redis

from plaudit.client import ClientOptions, RolloutClient
from plaudit.errors import Conflict, QueueFull, Rejected
from plaudit.queue import WorkQueue
from plaudit.schemas.common import Message
from plaudit.schemas.rollout import RolloutAck, RolloutGroup, RolloutPrompt, RolloutRequest
from plaudit.testing import free_port, running
from plaudit_rollout.app import make_app
from plaudit_rollout.board import Board
from plaudit_rollout.job import RolloutJob
from plaudit_rollout.settings import QUEUE_NAME

PROMPT = [Message(role="user", content="hi")]


def request(*group_ids: str, run_id: str = "run", lane: str = "train") -> RolloutRequest:
    groups = [RolloutPrompt(group_id=name, prompt=PROMPT, n=2) for name in group_ids]
    return RolloutRequest(run_id=run_id, groups=groups, lane=lane)


class Hand:
    """Does by hand what a worker does."""

    def __init__(self, redis: Redis, settings) -> None:
        self.queue = WorkQueue(redis, QUEUE_NAME, settings.queue_options())
        self.board = Board(redis, settings)

    async def finish(self, count: int = 1) -> list[str]:
        leases = await self.queue.lease("hand", count, wait_s=0.0)
        for lease in leases:
            job = RolloutJob.model_validate_json(lease.payload)
            await self.board.finish(finished(job.prompt.group_id, job.run_id))
            await self.queue.complete(lease, b"")
        return [lease.job_id for lease in leases]


def finished(group_id: str, run_id: str = "run") -> RolloutGroup:
    return RolloutGroup(
        run_id=run_id,
        group_id=group_id,
        prompt=PROMPT,
        prompt_token_ids=[],
        reference={},
        completions=[],
        replica_id="hand",
    )


@pytest.fixture
async def hand(redis_url, make_settings):
    async with Redis.from_url(redis_url) as redis:
        hand = Hand(redis, make_settings())
        yield hand
        await hand.queue.aclose()


async def leased(client: RolloutClient, wait_s: float = 0.0) -> list[str]:
    found = await client.finished("run", 10, wait_s)
    return [group.group_id for group in found.groups]


async def test_submitting_twice_generates_once(client, hand):
    first = await client.submit(request("a", "b"))
    second = await client.submit(request("b", "c"))
    assert (first.accepted, first.existing) == (["a", "b"], [])
    assert (second.accepted, second.existing) == (["c"], ["b"])
    assert await hand.finish(10) == ["run/a", "run/b", "run/c"]


async def test_a_finished_group_is_not_generated_again_while_it_waits(client, hand):
    await client.submit(request("a"))
    await hand.finish()
    assert (await client.submit(request("a"))).existing == ["a"]
    assert await hand.finish() == []
    assert await leased(client) == ["a"]
    assert (await client.submit(request("a"))).existing == ["a"]
    assert await hand.finish() == []


async def test_an_acknowledged_id_may_be_used_anew(client, hand):
    for _ in range(2):
        assert (await client.submit(request("a"))).accepted == ["a"]
        assert await hand.finish() == ["run/a"]
        assert await leased(client) == ["a"]
        ack = RolloutAck(run_id="run", group_ids=["a"])
        assert (await client.ack(ack)).acked == 1
    assert await leased(client) == []


async def test_a_worker_that_died_after_its_result_was_delivered_loses_no_later_group(client, hand):
    """Its job is still in the queue when the id is used again."""
    await client.submit(request("a"))
    [lease] = await hand.queue.lease("dying", 1, wait_s=0.0)
    await hand.board.finish(finished("a"))
    await leased(client)
    await client.ack(RolloutAck(run_id="run", group_ids=["a"]))
    await hand.queue.complete(lease, b"")
    assert (await client.submit(request("a"))).accepted == ["a"]
    assert await hand.finish() == ["run/a"]
    assert await leased(client) == ["a"]


async def test_metrics_show_the_queue(api, client, hand):
    await client.submit(request("a", "b"))
    await client.submit(request("c", lane="eval"))
    await hand.queue.lease("w", 1, wait_s=0.0)
    async with httpx.AsyncClient(base_url=api) as http:
        text = (await http.get("/metrics")).text
    assert 'plaudit_queue_submitted_total{lane="train",queue="rollout"} 2.0' in text
    assert 'plaudit_queue_queued{lane="eval",queue="rollout"} 1.0' in text
    assert "plaudit_http_requests_total" in text
    assert "run/a" not in text


async def test_waiting_ends_as_soon_as_a_group_is_finished(client, hand):
    await client.submit(request("a"))
    waiting = asyncio.create_task(leased(client, wait_s=20.0))
    await asyncio.sleep(0.1)
    await hand.finish()
    async with asyncio.timeout(5.0):
        assert await waiting == ["a"]


async def test_waiting_without_result_ends_in_time(client):
    async with asyncio.timeout(5.0):
        assert await leased(client, wait_s=0.2) == []


async def test_a_restarted_consumer_gets_unsettled_groups_at_once(api, client, hand):
    await client.submit(request("a"))
    await hand.finish()
    params: dict[str, str | int] = {"run_id": "run", "max": 10}
    async with httpx.AsyncClient(base_url=api) as http:
        for life, expected in (("1", 1), ("1", 0), ("2", 1), ("2", 0)):
            answer = await http.get("/v1/rollouts", params={**params, "consumer": life})
            assert len(answer.json()["groups"]) == expected, life


async def test_evaluation_goes_into_its_own_lane(client, hand):
    await client.submit(request("a", lane="eval"))
    [lease] = await hand.queue.lease("hand", 1, wait_s=0.0)
    assert lease.lane == "eval"


async def test_over_the_bound_it_answers_429_and_takes_none(redis_url, make_settings):
    settings = make_settings(max_outstanding=2)
    with running(make_app(settings), settings) as url:
        async with RolloutClient(url, ClientOptions(max_attempts=1)) as client:
            await client.submit(request("a"))
            with pytest.raises(QueueFull, match="max_outstanding") as caught:
                await client.submit(request("b", "c"))
            assert caught.value.retry_after_s is not None
            assert (await client.submit(request("b"))).accepted == ["b"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"run_id": ""}, "run_id"),
        ({"groups": []}, "groups"),
        ({"lane": "fast"}, "lane"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_a_wrong_request_is_told_which_field(api, change, field):
    body = request("a").model_dump() | change
    async with httpx.AsyncClient(base_url=api) as http:
        answer = await http.post("/v1/rollouts", json=body)
    assert answer.status_code == 422
    assert field in answer.text


@pytest.mark.parametrize("query", ["", "?run_id=r&max=0", "?run_id=r&wait=1e9", "?run_id="])
async def test_a_wrong_query_is_refused(api, query):
    async with httpx.AsyncClient(base_url=api) as http:
        assert (await http.get(f"/v1/rollouts{query}")).status_code == 422


async def test_a_group_id_with_a_control_character_is_refused(client):
    with pytest.raises(Rejected, match="control character"):
        await client.submit(request("a\nb"))


async def test_an_older_version_is_answered_409(client, publish):
    newer, older = publish(3), publish(2)
    await client.announce(newer)
    with pytest.raises(Conflict, match="versions only go up"):
        await client.announce(older)
    assert (await client.announce(newer)).announced == newer


async def test_without_redis_it_is_not_ready_and_says_why(make_settings):
    settings = make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with running(make_app(settings), settings) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/livez")).status_code == 200
            answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert "redis" in answer.text.lower()
