"""Arrivals: lease finished rollouts, have each scored, hand it on, settle the lease."""

import asyncio

from plaudit.errors import Stalled, Unavailable
from plaudit.schemas.rollout import RolloutAck, RolloutGroup
from plaudit.schemas.run import ReadyGroup, StageTimes, Unit
from plaudit.telemetry import get_logger, use_trace
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.discriminator.teacher import Teacher
from plaudit_trainer.conductor.metrics import GROUP_STAGE_SECONDS
from plaudit_trainer.conductor.scoring import GroupScorer, Scored
from plaudit_trainer.group_trace import group_trace, record_rollout

_LEASE_WAIT_S = 2.0
_MAX_LEASED = 64
_MAX_ACKS = 1024
_RETRY_S = 1.0

log = get_logger(__name__)


class Arrivals:
    """Every leased group is scored in a task of its own, so that none waits for another."""

    def __init__(
        self, context: Context, scorer: GroupScorer, teacher: Teacher | None = None
    ) -> None:
        self._context = context
        self._scorer = scorer
        self._teacher = teacher
        self._acks: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            acknowledger = tasks.create_task(self._acknowledge_forever())
            while not self._context.stopping.is_set():
                for group in await self._lease():
                    if group.group_id not in self._context.scoring:
                        self._context.scoring.add(group.group_id)
                        tasks.create_task(self._handle(group))
            acknowledger.cancel()

    async def _lease(self) -> list[RolloutGroup]:
        context = self._context
        try:
            finished = await context.rollout.finished(
                context.run_id,
                max_groups=_MAX_LEASED,
                wait_s=_LEASE_WAIT_S,
                consumer=context.consumer,
            )
        except Unavailable as error:
            context.waiting.note("arrivals", f"the rollout service: {error}")
            await context.pause(_RETRY_S)
            return []
        context.waiting.clear("arrivals")
        return finished.groups

    async def _handle(self, group: RolloutGroup) -> None:
        trace = group_trace(self._context.run_id, group.group_id)
        try:
            with use_trace(trace):
                await self._pass_on(group)
            await self._acks.put(group.group_id)
        finally:
            self._context.scoring.discard(group.group_id)

    async def _pass_on(self, group: RolloutGroup) -> None:
        context = self._context
        if group.error is not None:
            log.error("generation_failed", group=group.group_id, reason=group.error)
            await context.ledger.drop([group.group_id], "generation_failed", try_again=False)
            return
        admitted_at = context.clock() - group.queued_s - group.generate_s
        of_rollout = {"queue": group.queued_s, "generate": group.generate_s}
        record_rollout(group_trace(context.run_id, group.group_id), admitted_at, of_rollout)
        kind = context.row(group.group_id).kind
        scored = await self._score(group, kind)
        if self._teacher is not None:
            self._teacher.teach(group, kind)
        if context.recipe.pipeline.on_missing == "drop" and not scored.is_complete():
            await context.ledger.drop([group.group_id], "missing_reward", try_again=False)
            return
        times = {**of_rollout, **scored.seconds}
        ready = ReadyGroup(
            group_id=group.group_id,
            kind=kind,
            rollout=group,
            scores=scored.scores,
            units=scored.units,
            admitted_at=admitted_at,
            ready_at=context.clock(),
            times=StageTimes(seconds=times),
        )
        if await context.ledger.ready(group.group_id, ready.model_dump_json().encode()):
            for stage, seconds in times.items():
                GROUP_STAGE_SECONDS.labels(stage).observe(seconds)
            context.run_dir.append_jsonl("groups.jsonl", [_record(ready)])
            await self._learn_success(ready)

    async def _learn_success(self, ready: ReadyGroup) -> None:
        context = self._context
        if context.selection.is_on:
            row_id = context.row(ready.group_id).id
            rate = context.selection.learn(row_id, ready.kind, ready.scores)
            if rate is not None:
                await context.ledger.set_success_rate(row_id, rate)

    async def _score(self, group: RolloutGroup, kind: str) -> Scored:
        """Under `on_missing = "wait"` the group is scored again until nothing is missing.

        Under the same key: a reward service that was late has gone on with the work meanwhile, and
        computes anew what failed for a reason that may pass.
        """
        context = self._context
        pipeline = context.recipe.pipeline
        who = f"scoring {group.group_id}"
        deadline = context.clock() + pipeline.stall_timeout_s
        key = f"{context.run_id}/{group.group_id}"
        tournament = 0
        while True:
            scored = await self._scorer.score(group, kind, key, tournament)
            tournament += scored.is_judged
            if pipeline.on_missing != "wait" or scored.is_complete():
                context.waiting.clear(who)
                return scored
            reasons = scored.reasons()
            context.waiting.note(who, f"rewards: {'; '.join(reasons)}")
            if context.clock() > deadline:
                break
            await context.pause(_RETRY_S)
        raise Stalled(
            f"group {group.group_id} got no complete reward within stall_timeout_s = "
            f"{pipeline.stall_timeout_s:g}: {'; '.join(reasons)}.",
            fix='mend that reward, or set pipeline.on_missing = "mask"',
        )

    async def _acknowledge_forever(self) -> None:
        while True:
            groups = [await self._acks.get()]
            while not self._acks.empty() and len(groups) < _MAX_ACKS:
                groups.append(self._acks.get_nowait())
            await self._acknowledge(groups)

    async def _acknowledge(self, groups: list[str]) -> None:
        """An ack that is lost costs one redelivery, which the ledger recognises."""
        try:
            ack = RolloutAck(run_id=self._context.run_id, group_ids=groups)
            await self._context.rollout.ack(ack)
        except Unavailable as error:
            log.warning("ack_failed", groups=len(groups), reason=str(error))


def _record(ready: ReadyGroup) -> dict[str, object]:
    totals = [score.total for score in ready.scores if score.total is not None]
    versions = {v for c in ready.rollout.completions for v in c.policy_versions}
    return {
        "group_id": ready.group_id,
        "kind": ready.kind,
        "state": "ready",
        "ready_at": ready.ready_at,
        "times": ready.times.seconds,
        "reward": sum(totals) / len(totals) if totals else None,
        "missing": sum(len(score.errors) for score in ready.scores),
        **_of_units(ready.units),
        "versions": sorted(versions),
        "num_tokens": sum(len(c.token_ids) for c in ready.rollout.completions),
    }


def _of_units(units: list[list[Unit]]) -> dict[str, object]:
    if not units:
        return {}
    differences = [unit.difference for of_completion in units for unit in of_completion]
    return {"num_units": len(differences), "missing_differences": differences.count(None)}
