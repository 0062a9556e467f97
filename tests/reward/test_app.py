"""The reward API under many callers at once."""

import asyncio

from plaudit.client import ClientOptions, RewardClient
from plaudit.errors import NotFound
from plaudit.testing import running
from plaudit_reward.app import build_app
from plaudit_reward.settings import RewardSettings

NUM_CALLERS = 300


async def test_any_number_of_callers_may_ask_for_jobs_at_once(redis_url: str) -> None:
    """The default pool of redis-py refuses the 101st call at once."""
    options = ClientOptions(max_attempts=1, max_connections=NUM_CALLERS)
    with running(build_app(RewardSettings(redis_url=redis_url))) as url:
        async with RewardClient(url, options) as client:
            asked = (client.job("score.unknown") for _ in range(NUM_CALLERS))
            answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotFound}
