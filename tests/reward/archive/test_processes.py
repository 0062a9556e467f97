"""Worker processes that share an archive, while they and Redis are killed."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest, ScoreResponse
from plaudit.testing import descendants, frozen, redis_process
from plaudit_reward.archive.entry import member_of

KEY = "plaudit:reward:archive:default:hashed:1024"
NOBODY = "http://127.0.0.1:9"
NUM_GROUPS = 40


def group_of(number: int, answer: str = "4") -> RewardGroup:
    halves = (f"<reasoning>{number} {half}</reasoning>" for half in ("left", "right"))
    texts = [rf"{half} \boxed{{{answer}}}" for half in halves]
    completions = [Answer(text=text) for text in texts]
    return RewardGroup(
        group_id=str(number), prompt=[], completions=completions, reference={"answer": "4"}
    )


def members_of(groups: Sequence[RewardGroup]) -> Counter[bytes]:
    return Counter(
        member_of(group.group_id, index, one.text)
        for group in groups
        for index, one in enumerate(group.completions)
    )


async def stored(redis: Any) -> Counter[bytes]:
    return Counter(fields[b"e"][:16] for _, fields in await redis.xrange(KEY))


def is_complete(response: ScoreResponse) -> bool:
    return all(one.total is not None for group in response.groups for one in group.scores)


async def test_no_kill_loses_or_doubles_an_entry(service: Any) -> None:
    groups = [group_of(number) for number in range(NUM_GROUPS)]
    with redis_process(appendonly=True) as server:
        running = await service(redis=server.url, sandbox=NOBODY)
        killed, _ = await running.work("rules", "rules")

        async def score(group: RewardGroup) -> None:
            async with asyncio.timeout(40):
                while not is_complete(await running.score(group, "completion_intrinsic")):
                    await asyncio.sleep(0.05)

        first = [asyncio.create_task(score(group)) for group in groups[: NUM_GROUPS // 2]]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        killed.kill()
        second = [asyncio.create_task(score(group)) for group in groups[NUM_GROUPS // 2 :]]
        await asyncio.wait(second, return_when=asyncio.FIRST_COMPLETED)
        server.restart()
        running.worker("rules")
        await asyncio.gather(*first, *second)
        async with Redis.from_url(server.url) as redis:
            assert await stored(redis) == members_of(groups)


async def test_a_worker_killed_between_appending_and_answering_doubles_nothing(
    service: Any, redis_url: str
) -> None:
    """The second group of its request hangs: Math-Verify's processes are stopped."""
    running = await service(sandbox=NOBODY, verify_timeout_s="60")
    [killed] = await running.work("rules")
    await running.score(group_of(0, r"\frac{8}{2}"), "accuracy")
    groups = [group_of(1), group_of(2, r"\frac{12}{3}")]
    rewards = [RewardSpec(name="completion_intrinsic")]
    request = ScoreRequest(groups=groups, rewards=rewards)
    async with Redis.from_url(redis_url) as redis:
        with frozen(descendants(killed.pid)):
            asking = asyncio.create_task(running.client.score(request, timeout_s=30))
            async with asyncio.timeout(10):
                while await stored(redis) != members_of(groups[:1]):
                    await asyncio.sleep(0.02)
            killed.kill()
        running.worker("rules")
        assert is_complete(await asking)
        assert await stored(redis) == members_of(groups)


async def test_workers_agree_about_what_had_to_go(service: Any, redis_url: str) -> None:
    running = await service(archive_max_entries="8", sandbox=NOBODY)
    await running.work("rules", "rules")
    groups = [group_of(number) for number in range(NUM_GROUPS)]
    scored = (running.score(group, "completion_intrinsic") for group in groups)
    assert all(is_complete(response) for response in await asyncio.gather(*scored))
    async with Redis.from_url(redis_url) as redis:
        left = await stored(redis)
        assert sorted(left) == sorted(await redis.smembers(f"{KEY}:members"))
    assert len(left) == left.total() == 8
    assert left <= members_of(groups)
