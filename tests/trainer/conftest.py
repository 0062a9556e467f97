"""A ledger of a fresh run, from both sides."""

import pytest
import redis
import redis.asyncio

from plaudit.schemas.rollout import RolloutGroup
from plaudit.schemas.run import ReadyGroup
from plaudit_trainer.ledger import ConductorLedger, LearnerLedger


@pytest.fixture
async def conductor_ledger(redis_url: str):
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield ConductorLedger(client, "r")


@pytest.fixture
def learner_ledger(redis_url: str):
    with redis.Redis.from_url(redis_url) as client:
        ledger = LearnerLedger(client, "r")
        ledger.claim("test")
        yield ledger


@pytest.fixture
def ready_payload():
    """Make the payload of a scored group without completions."""

    def make(group_id: str) -> bytes:
        rollout = RolloutGroup(
            run_id="r",
            group_id=group_id,
            prompt=[],
            prompt_token_ids=[],
            reference={},
            completions=[],
            replica_id="x",
        )
        ready = ReadyGroup(
            group_id=group_id, kind="k", rollout=rollout, scores=[], admitted_at=0.0, ready_at=0.0
        )
        return ready.model_dump_json().encode()

    return make
