"""The API's side of the queues: split a request by pool, wait, join."""

import asyncio
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from uuid import uuid4

from pydantic import ValidationError
from redis.asyncio import Redis

from plaudit.queue import Job, JobRecord, WorkQueue
from plaudit.schemas.common import Lane
from plaudit.schemas.job import JobStatus, JobView
from plaudit.schemas.reward import RewardInfo, ScoreRequest, ScoreResponse
from plaudit.telemetry import current_traceparent
from plaudit_reward.metrics import LATE_POOLS
from plaudit_reward.partial import Partials
from plaudit_reward.registry import Registry, load_registry
from plaudit_reward.reward import Pool
from plaudit_reward.settings import RewardSettings, queue_name
from plaudit_reward.wire import Plan, PlannedGroup, PlannedReward, PoolScores, completed, join

PLAN_TTL_S = 86_400
_PLAN_KEY = "plaudit:reward:plan:"

Records = Mapping[Pool, JobRecord | None]
Answers = Mapping[Pool, PoolScores | str]
"""Of each pool, or the reason why it has none."""


class Desk:
    """Takes requests in and hands responses out; every call may raise Unavailable."""

    def __init__(self, settings: RewardSettings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._registry: Registry = load_registry()
        pools: list[Pool] = sorted({one.pool for one in self._registry.rewards.values()})
        self.queues: Mapping[Pool, WorkQueue] = {
            pool: WorkQueue(redis, queue_name(pool), settings.queue_options()) for pool in pools
        }

        self._partials = {
            pool: Partials(redis, pool, settings.max_deadline_s) for pool in self.queues
        }

    async def aclose(self) -> None:
        for queue in self.queues.values():
            await queue.aclose()

    def plan(self, request: ScoreRequest) -> Plan:
        """Raises Rejected for an unknown reward or wrong parameters."""
        chosen = self._registry.choose(request.rewards)
        return Plan.model_construct(
            groups=[
                PlannedGroup(group_id=group.group_id, num_completions=len(group.completions))
                for group in request.groups
            ],
            rewards=[
                PlannedReward.model_construct(
                    name=one.reward.name, pool=one.reward.pool, mixed=one.mixed
                )
                for one in chosen
            ],
            mixing=request.mixing,
        )

    async def score(
        self, request: ScoreRequest, body: bytes, key: str | None, deadline_s: float
    ) -> ScoreResponse:
        """Wait for all pools, at most `deadline_s`; what is missing then is null.

        `body` is `request` as it came; it goes on to the workers as it is. The same `key` with
        the same body is handed the results that exist.
        """
        return join(*await self.collect(request, body, key, deadline_s))

    async def collect(
        self, request: ScoreRequest, body: bytes, key: str | None, deadline_s: float
    ) -> tuple[Plan, Answers]:
        """`score` before the answers of the pools are joined."""
        plan, job_id = self.plan(request), _job_id(key, body)
        await self._submit(plan, job_id, body, request.lane)
        records = await self._wait(plan, job_id, deadline_s)
        answers = {pool: _answer(pool, record, deadline_s) for pool, record in records.items()}
        for pool, record in records.items():
            if record is not None and record.status == "running":
                answers[pool] = await self._so_far(plan, pool, record.job_id, answers[pool])
            await self._tidy(pool, record, answers[pool], kept=key is not None)
        return plan, answers

    async def submit(self, request: ScoreRequest, job_id: str) -> None:
        """Start a job. A job id that is known changes nothing."""
        plan = self.plan(request)
        # The plan first: a job without one could not be looked at.
        await self._redis.set(_PLAN_KEY + job_id, plan.model_dump_json(), nx=True, ex=PLAN_TTL_S)
        await self._submit(plan, job_id, request.model_dump_json().encode(), request.lane)

    async def view(self, job_id: str) -> JobView | None:
        """None when there is no such job (any more)."""
        return await self.wait(job_id, 0.0)

    async def wait(self, job_id: str, timeout_s: float) -> JobView | None:
        """`view`, once the job is finished or the time is over."""
        stored = await self._redis.get(_PLAN_KEY + job_id)
        if stored is None:
            return None
        plan = Plan.model_validate_json(stored)
        records = await self._wait(plan, job_id, timeout_s)
        if not any(records.values()):
            return None
        status = _status(records.values())
        if status != "done":
            return JobView(job_id=job_id, status=status)
        answers = {pool: _answer(pool, record, timeout_s) for pool, record in records.items()}
        return JobView(job_id=job_id, status="done", result=join(plan, answers).model_dump())

    def rewards(self) -> list[RewardInfo]:
        return self._registry.describe()

    async def _submit(self, plan: Plan, job_id: str, body: bytes, lane: Lane) -> None:
        job = Job(job_id, body, lane, current_traceparent())
        await asyncio.gather(*(self.queues[pool].submit(job) for pool in plan.pools()))

    async def _wait(self, plan: Plan, job_id: str, timeout_s: float) -> Records:
        pools = plan.pools()
        waits = (self.queues[pool].wait(job_id, timeout_s) for pool in pools)
        return dict(zip(pools, await asyncio.gather(*waits), strict=True))

    async def _so_far(
        self, plan: Plan, pool: Pool, job_id: str, reason: PoolScores | str
    ) -> PoolScores | str:
        """Rewards that are done before the pool as a whole is."""
        partial = await self._partials[pool].get(job_id)
        if partial is None or not isinstance(reason, str):
            return reason
        return completed(plan, pool, partial, reason)

    async def _tidy(
        self, pool: Pool, record: JobRecord | None, answer: PoolScores | str, *, kept: bool
    ) -> None:
        """Keep what the same key may ask for again, and nothing that another try may better."""
        if record is None:
            return
        if not record.finished:
            LATE_POOLS.labels(pool).inc()
            if not kept:
                await self.queues[pool].cancel(record.job_id)
        elif not kept or isinstance(answer, str) or answer.retryable:
            await self.queues[pool].forget([record.job_id])


def _job_id(key: str | None, body: bytes) -> str:
    if key is None:
        return f"score.{uuid4().hex}"
    return f"score.{key}.{blake2b(body, digest_size=16).hexdigest()}"


def _answer(pool: Pool, record: JobRecord | None, deadline_s: float) -> PoolScores | str:
    """What a pool came up with, or why it did not."""
    if record is None:
        return f"the pool {pool!r} lost the request; send it again"
    if record.status == "done" and record.result is not None:
        try:
            return PoolScores.model_validate_json(record.result)
        except ValidationError:
            return f"the pool {pool!r} runs another version of Plaudit"
    if record.finished:
        reason = (record.error or "no reason recorded").strip().rpartition("\n")[2]
        return f"the pool {pool!r} gave the request up ({record.status}): {reason}"
    return (
        f"the pool {pool!r} had not answered after {deadline_s:g} s ({record.status}); "
        f"are its workers running?"
    )


def _status(records: Iterable[JobRecord | None]) -> JobStatus:
    """A part that failed is null in the result, so the job as a whole still gets done."""
    statuses = {record.status if record is not None else "failed" for record in records}
    if "running" in statuses:
        return "running"
    return "queued" if "queued" in statuses else "done"
