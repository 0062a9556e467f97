"""A finished group is delivered until it is settled, and recorded once."""

import asyncio

import pytest
from redis.asyncio import Redis

from plaudit.errors import QueueFull, Unavailable
from plaudit.schemas.rollout import RolloutGroup
from plaudit.testing import free_port
from plaudit_rollout.board import Board, Opened
from plaudit_rollout.redis_client import connect


def group(group_id: str, *, run_id: str = "run", replica_id: str = "r") -> RolloutGroup:
    return RolloutGroup(
        run_id=run_id,
        group_id=group_id,
        prompt=[],
        prompt_token_ids=[],
        reference={},
        completions=[],
        replica_id=replica_id,
    )


def ids(bodies: list[bytes]) -> list[str]:
    return [RolloutGroup.model_validate_json(body).group_id for body in bodies]


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def make_board(redis, make_settings):
    return lambda **values: Board(redis, make_settings(**values))


@pytest.fixture
def board(make_board):
    return make_board()


async def test_opening_tells_new_outstanding_and_finished_groups_apart(board):
    assert await board.open("run", ["a", "b"]) == [Opened.NEW, Opened.NEW]
    await board.finish(group("a"))
    found = await board.open("run", ["a", "b", "c"])
    assert found == [Opened.FINISHED, Opened.OUTSTANDING, Opened.NEW]


async def test_the_bound_refuses_and_opens_none(make_board):
    board = make_board(max_outstanding=2)
    await board.open("run", ["a"])
    with pytest.raises(QueueFull, match="max_outstanding"):
        await board.open("run", ["b", "c"])
    assert await board.open("run", ["a", "b"]) == [Opened.OUTSTANDING, Opened.NEW]


async def test_the_first_result_of_a_group_counts(board):
    await board.open("run", ["a"])
    assert await board.finish(group("a", replica_id="first"))
    assert not await board.finish(group("a", replica_id="second"))
    [body] = await board.lease("run", 10, "")
    assert b'"first"' in body


async def test_a_result_that_comes_after_the_acknowledgement_is_dropped(board):
    await board.open("run", ["a"])
    await board.finish(group("a"))
    assert await board.ack("run", ["a"]) == 1
    assert not await board.finish(group("a"))
    assert await board.lease("run", 10, "") == []


async def test_groups_come_in_the_order_in_which_they_finished(board):
    await board.open("run", ["c", "a", "b"])
    for name in "cab":
        await board.finish(group(name))
        await asyncio.sleep(0.002)
    assert ids(await board.lease("run", 2, "")) == ["c", "a"]
    assert ids(await board.lease("run", 2, "")) == ["b"]


async def test_a_group_that_is_not_acknowledged_comes_again(make_board):
    board = make_board(finished_lease_s=0.1)
    await board.open("run", ["a"])
    await board.finish(group("a"))
    assert ids(await board.lease("run", 10, "me")) == ["a"]
    assert await board.lease("run", 10, "me") == []
    await asyncio.sleep(0.15)
    assert ids(await board.lease("run", 10, "me")) == ["a"]


async def test_a_restarted_consumer_gets_what_the_last_one_held_at_once(board):
    await board.open("run", ["a", "b"])
    await board.finish(group("a"))
    assert ids(await board.lease("run", 10, "first life")) == ["a"]
    assert ids(await board.lease("run", 10, "second life")) == ["a"]
    assert await board.lease("run", 10, "second life") == []


async def test_a_consumer_without_a_name_takes_nothing_over(board):
    await board.open("run", ["a"])
    await board.finish(group("a"))
    assert ids(await board.lease("run", 10, "first life")) == ["a"]
    assert await board.lease("run", 10, "") == []


async def test_acknowledging_twice_counts_once(board):
    await board.open("run", ["a"])
    await board.finish(group("a"))
    assert await board.ack("run", ["a", "unknown"]) == 1
    assert await board.ack("run", ["a"]) == 0


async def test_an_outstanding_group_cannot_be_acknowledged_away(board):
    await board.open("run", ["a"])
    assert await board.ack("run", ["a"]) == 0
    assert await board.finish(group("a"))


async def test_an_answer_stops_at_max_response_bytes_but_makes_progress(make_board):
    board = make_board(max_response_bytes=1024)
    await board.open("run", ["a", "b"])
    for name in "ab":
        await board.finish(group(name, replica_id="x" * 2000))
    assert len(await board.lease("run", 10, "")) == 1
    assert len(await board.lease("run", 10, "")) == 1


async def test_runs_do_not_see_each_other(board):
    await board.open("run", ["a"])
    await board.finish(group("a"))
    assert await board.lease("run/eval", 10, "") == []
    assert not await board.finish(group("a", run_id="run/eval"))


async def test_an_abandoned_run_leaves_nothing_behind(make_board, redis):
    board = make_board(finished_ttl_s=0.2)
    await board.open("run", ["a", "b"])
    await board.finish(group("a"))
    await board.lease("run", 1, "me")
    assert len(await redis.keys("plaudit:rollout:*")) == 4
    await asyncio.sleep(0.3)
    assert await redis.keys("plaudit:rollout:*") == []


async def test_without_redis_it_says_so(make_settings):
    redis = connect(f"redis://127.0.0.1:{free_port()}/0")
    board = Board(redis, make_settings())
    with pytest.raises(Unavailable, match="Redis does not answer"):
        await board.open("run", ["a"])
    await redis.aclose()
