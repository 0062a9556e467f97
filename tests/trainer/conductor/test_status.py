"""The status page while Redis does not answer."""

import time

import pytest
from redis import Redis

from plaudit.errors import Unavailable
from plaudit_trainer.conductor import status as paging
from plaudit_trainer.conductor.status import StatusPage
from plaudit_trainer.conductor.watch import PolicyWatch


async def test_redis_that_does_not_answer_is_said_at_once(conductors, redis_url, monkeypatch):
    monkeypatch.setattr(paging, "MAX_STATUS_S", 0.3)
    context = conductors()
    page = StatusPage(context, PolicyWatch(context), [])
    assert (await page.status()).state == "starting"
    redis = Redis.from_url(redis_url)
    redis.execute_command("CLIENT", "PAUSE", 4000, "ALL")
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match=r"does not answer the conductor within 0\.3 s"):
        await page.status()
    assert time.monotonic() - began_s < 3.0
    redis.ping()  # answers after the pause
    assert (await page.status()).max_steps == 3
