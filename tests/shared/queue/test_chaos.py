"""Workers that crash, hang, answer late or fail, on real time, in any mixture."""

import asyncio
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from plaudit.queue import Job, Lease, QueueOptions, WorkQueue

LEASE_S = 0.08
OPTIONS = QueueOptions(lease_s=LEASE_S, max_deliveries=3, retry_delay_s=0.01)
ACTIONS = ["ok", "ok", "crash", "late", "retry", "fail", "release", "slow"]
Plan = list[str]
plans = st.lists(st.lists(st.sampled_from(ACTIONS), max_size=4), min_size=1, max_size=12)


class Chaos:
    """One run; `effects` counts the results that complete() said were recorded."""

    def __init__(self, redis: Redis, plans: list[Plan]) -> None:
        self.redis = redis
        self.plans = {f"j{i}": plan for i, plan in enumerate(plans)}
        self.turn: Counter[str] = Counter()
        self.effects: dict[str, list[bytes]] = {job_id: [] for job_id in self.plans}
        self.late: set[asyncio.Task[None]] = set()
        self.over = False

    def next_action(self, job_id: str) -> str:
        plan, turn = self.plans[job_id], self.turn[job_id]
        self.turn[job_id] += 1
        return plan[turn] if turn < len(plan) else "ok"

    async def complete(self, queue: WorkQueue, lease: Lease) -> None:
        result = f"{lease.job_id} by {lease.token}".encode()
        if await queue.complete(lease, result):
            self.effects[lease.job_id].append(result)

    async def complete_late(self, queue: WorkQueue, lease: Lease) -> None:
        await asyncio.sleep(LEASE_S * 1.5)
        await self.complete(queue, lease)

    async def act(self, queue: WorkQueue, lease: Lease) -> None:
        action = self.next_action(lease.job_id)
        if action == "ok":
            await self.complete(queue, lease)
        elif action == "slow":
            for _ in range(3):
                await asyncio.sleep(LEASE_S / 2)
                await queue.renew([lease])
            await self.complete(queue, lease)
        elif action == "late":
            self.late.add(asyncio.create_task(self.complete_late(queue, lease)))
        elif action == "release":
            await queue.release(lease)
        elif action != "crash":
            await queue.fail(lease, action, retryable=action == "retry")

    async def work(self, name: str) -> None:
        queue = WorkQueue(self.redis, "q", OPTIONS)
        while not self.over:
            leases = await queue.lease(name, 3, wait_s=0.05)
            await asyncio.gather(*(self.act(queue, lease) for lease in leases))
        if self.late:
            await asyncio.wait(self.late)
        await queue.aclose()

    async def run(self) -> None:
        queue = WorkQueue(self.redis, "q", OPTIONS)
        lanes = ("train", "eval")
        jobs = [Job(job_id, b"", lanes[i % 2]) for i, job_id in enumerate(self.plans)]  # type: ignore[arg-type]
        await queue.submit_many(jobs)
        workers = [asyncio.create_task(self.work(f"w{i}")) for i in range(2)]
        records = await asyncio.gather(*(queue.wait(job_id, 20) for job_id in self.plans))
        self.over = True
        await asyncio.gather(*workers)
        for record in records:
            assert record is not None
            assert record.status in ("done", "failed", "dead")
            won = self.effects[record.job_id]
            assert won == ([record.result] if record.status == "done" else [])
            assert await queue.record(record.job_id) == record  # late answers changed nothing
        await self.check_totals(queue, Counter(record.status for record in records if record))
        await queue.aclose()

    async def check_totals(self, queue: WorkQueue, ended: Counter[str]) -> None:
        stats = await queue.stats()
        assert (stats.queued, stats.running) == (0, 0)
        assert (stats.done, stats.failed, stats.dead) == (
            ended["done"], ended["failed"], ended["dead"],
        )  # fmt: skip


async def run_chaos(redis_url: str, plans: list[Plan]) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        await Chaos(redis, plans).run()


def test_every_job_ends_once_and_its_effect_is_recorded_once(redis_url: str) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(plans)
    def check(plans: list[Plan]) -> None:
        asyncio.run(run_chaos(redis_url, plans))

    check()
