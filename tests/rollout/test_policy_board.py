"""Announcements go up within a run; replicas that fall silent are forgotten."""

import asyncio
import time
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from plaudit.errors import Conflict
from plaudit.schemas.policy import PolicyAnnouncement, PolicyReplica
from plaudit_rollout.policy.board import PolicyBoard, ReplicaReport


def announcement(version: int, run_id: str = "run", digest: str = "0") -> PolicyAnnouncement:
    return PolicyAnnouncement(
        run_id=run_id, version=version, path="/v", manifest_sha256=digest * 64
    )


def report(version: int | None, run_id: str | None = "run", age_s: float = 0.0) -> ReplicaReport:
    replica = PolicyReplica(
        replica_id="r", version=version, state="serving", updated_at=time.time() - age_s
    )
    return ReplicaReport(run_id=run_id, replica=replica)


@pytest.fixture
async def board(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield PolicyBoard(client, replica_ttl_s=5.0)


async def test_versions_only_go_up_within_a_run(board):
    await board.announce(announcement(2))
    with pytest.raises(Conflict, match="version 2 is, and versions only go up"):
        await board.announce(announcement(1))
    assert (await board.announced()).version == 2


async def test_repeating_an_announcement_is_harmless(board):
    await board.announce(announcement(2))
    await board.announce(announcement(2))
    assert (await board.announced()).version == 2


async def test_a_published_version_cannot_be_replaced(board):
    await board.announce(announcement(2))
    with pytest.raises(Conflict):
        await board.announce(announcement(2, digest="1"))


async def test_another_run_starts_anew(board):
    await board.announce(announcement(9))
    await board.announce(announcement(0, run_id="next"))
    assert (await board.announced()).run_id == "next"


async def test_the_state_names_who_serves_what(board):
    await board.announce(announcement(2))
    await board.report(report(1))
    state = await board.state()
    assert state.announced == announcement(2)
    assert [(r.replica_id, r.version) for r in state.replicas] == [("r", 1)]


async def test_a_version_of_another_run_is_no_version_of_this_one(board):
    await board.announce(announcement(0, run_id="next"))
    await board.report(report(0, run_id="run"))
    [replica] = (await board.state()).replicas
    assert replica.version is None


async def test_a_silent_replica_is_forgotten(board, redis_url):
    await board.report(report(1, age_s=6.0))
    assert (await board.state()).replicas == []
    async with Redis.from_url(redis_url) as client:
        assert await client.hlen("plaudit:rollout:policy:replicas") == 0


async def test_a_replica_that_leaves_is_gone_at_once(board):
    await board.report(report(1))
    await board.leave("r")
    assert (await board.state()).replicas == []


async def test_an_announcement_wakes_who_waits(board):
    wake = asyncio.Event()
    listening = asyncio.create_task(board.wake_on_announcement(wake))
    async with asyncio.timeout(5.0):
        version = 0
        while not wake.is_set():  # the subscription takes a moment
            await board.announce(announcement(version))
            version += 1
            await asyncio.sleep(0.02)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
