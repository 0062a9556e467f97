"""The status page: one RunStatus, put together from Redis and the queues."""

import asyncio
from collections.abc import Sequence

from redis import RedisError

from plaudit.errors import Unavailable
from plaudit.queue import WorkQueue
from plaudit.schemas.run import RunStatus, StageStatus
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.watch import PolicyWatch

MAX_STATUS_S = 2.0
"""Less than those who ask have patience for."""


class StatusPage:
    """`queues` are the stages that groups pass, in order."""

    def __init__(self, context: Context, policy: PolicyWatch, queues: Sequence[WorkQueue]) -> None:
        self._context = context
        self._policy = policy
        self._queues = queues

    async def status(self) -> RunStatus:
        """Raises Unavailable while Redis does not answer."""
        try:
            async with asyncio.timeout(MAX_STATUS_S):
                return await self._read()
        except (RedisError, TimeoutError) as error:
            raise Unavailable(
                f"Redis does not answer the conductor within {MAX_STATUS_S:g} s.",
                fix="see that it runs and is not short of memory; the run goes on when it answers",
            ) from error

    async def _read(self) -> RunStatus:
        context = self._context
        progress = await context.ledger.progress()
        counts = await context.ledger.counts()
        admitted = await context.ledger.admitted()
        waiting = [*context.waiting.entries(), *(await context.ledger.waiting())]
        oldest = min(admitted.values(), default=None)
        return RunStatus(
            run_id=context.run_id,
            state=progress.get("state", "starting"),
            failure=progress.get("failure"),
            failure_is_setting=progress.get("failure_is_setting", False),
            step=progress.get("step", 0),
            max_steps=context.recipe.budget.steps,
            policy_version=progress.get("version"),
            stages=[*[await _stage(queue) for queue in self._queues], await self._learner()],
            ledger=counts,
            groups_per_s=progress.get("groups_per_s"),
            tokens_per_s=progress.get("tokens_per_s"),
            reward=progress.get("reward"),
            accuracy=progress.get("accuracy"),
            staleness_mean=progress.get("staleness_mean"),
            replicas=self._policy.state.replicas if self._policy.state else [],
            oldest_group_age_s=None if oldest is None else context.clock() - oldest,
            waiting=waiting,
        )

    async def _learner(self) -> StageStatus:
        counts = await self._context.ledger.counts()
        return StageStatus(
            name="learner",
            queued=await self._context.ledger.num_ready(),
            running=0,
            done=counts.trained,
            failed=sum(counts.dropped.values()),
        )


async def _stage(queue: WorkQueue) -> StageStatus:
    stats = await queue.stats()
    return StageStatus(
        name=queue.name,
        queued=stats.queued,
        running=stats.running,
        done=stats.done,
        failed=stats.failed + stats.dead,
    )
