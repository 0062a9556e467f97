"""Watching: which step the engines serve, which groups are settled, whether anything moves."""

from plaudit.errors import Stalled, Unavailable
from plaudit.schemas.policy import PolicyManifest, PolicyState
from plaudit.telemetry import get_logger
from plaudit_trainer.bounds import STARTUP_BOUND_S
from plaudit_trainer.conductor.context import Context

_POLICY_POLL_S = 0.05
_EVENTS_POLL_S = 1.0
_STALL_POLL_S = 1.0
MAX_KNOWN_VERSIONS = 64
"""Far more than engines may lag behind; the steps of older ones are read again."""

log = get_logger(__name__)


class PolicyWatch:
    """Follows which version every engine serves, and which learner step that is."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps: dict[int, int] = {}
        self._logged: dict[str, int | None] = {}
        self.state: PolicyState | None = None

    async def run(self) -> None:
        while not self._context.stopping.is_set():
            await self.refresh()
            await self._context.pause(_POLICY_POLL_S)

    async def refresh(self) -> None:
        context = self._context
        try:
            self.state = await context.rollout.policy()
        except Unavailable as error:
            context.waiting.note("policy", f"the rollout service: {error}")
            return
        self._log_changes(self.state)
        context.served_step = self._served_step(self.state)
        if context.served_step is None:
            context.waiting.note("policy", self._why_none_serves(self.state))
        else:
            context.waiting.clear("policy")

    def _served_step(self, state: PolicyState) -> int | None:
        """The oldest step that an engine of this run generates with."""
        if state.announced is None or state.announced.run_id != self._context.run_id:
            return None
        steps = [
            step
            for replica in state.replicas
            if replica.version is not None and replica.state in ("serving", "loading", "refused")
            if (step := self._step_of(replica.version)) is not None
        ]
        return min(steps) if steps else None

    def _step_of(self, version: int) -> int | None:
        if version not in self._steps:
            path = self._context.run_dir.policy_manifest(version)
            if not path.is_file():
                return None
            self._steps[version] = PolicyManifest.model_validate_json(path.read_bytes()).step
            if len(self._steps) > MAX_KNOWN_VERSIONS:
                del self._steps[min(self._steps.keys() - {version})]
        return self._steps[version]

    def _why_none_serves(self, state: PolicyState) -> str:
        if state.announced is None or state.announced.run_id != self._context.run_id:
            return "the learner's first policy version"
        if not state.replicas:
            return "a rollout worker"
        replicas = [f"{r.replica_id} is {r.state} {r.error or ''}".strip() for r in state.replicas]
        return f"an engine that serves version {state.announced.version}: {'; '.join(replicas)}"

    def _log_changes(self, state: PolicyState) -> None:
        now = self._context.clock()
        for replica in state.replicas:
            if self._logged.get(replica.replica_id, -1) == replica.version:
                continue
            self._logged[replica.replica_id] = replica.version
            record = {
                "time": now,
                "replica_id": replica.replica_id,
                "version": replica.version,
                "pause_s": replica.pause_s,
            }
            self._context.run_dir.append_jsonl("policy.jsonl", [record])


async def write_events_forever(context: Context) -> None:
    """Write every group's final state to ledger.jsonl, the proof that none was lost."""
    while not context.stopping.is_set():
        await write_events(context)
        await context.pause(_EVENTS_POLL_S)


async def write_events(context: Context) -> None:
    while events := await context.ledger.events():
        records = [{"group_id": event.group_id, "state": event.state} for event in events]
        context.run_dir.append_jsonl("ledger.jsonl", records)
        await context.ledger.forget_events(events)


class StallWatch:
    """Ends a run in which nothing progressed for `stall_timeout_s`, saying who waits for what.

    While no engine has served since this process began, the engines have STARTUP_BOUND_S.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last: tuple[object, ...] = ()
        context.progressed_at = self._since_s = context.clock()
        self._has_served = False

    async def run(self) -> None:
        while not self._context.stopping.is_set():
            await self.check()
            await self._context.pause(_STALL_POLL_S)

    async def check(self) -> None:
        context = self._context
        progress = await context.ledger.progress()
        counts = await context.ledger.counts()
        num_ready = await context.ledger.num_ready()
        self._has_served = self._has_served or context.served_step is not None
        now = (counts, num_ready, progress, self._has_served)
        if now != self._last:
            self._last = now
            context.progressed_at = self._since_s = context.clock()
            return
        still_s = context.clock() - self._since_s
        if still_s > self._bound_s():
            raise Stalled(await self._describe(still_s), fix="see stall.json in the run directory")

    def _bound_s(self) -> float:
        stall_timeout_s = self._context.recipe.pipeline.stall_timeout_s
        return stall_timeout_s if self._has_served else max(stall_timeout_s, STARTUP_BOUND_S)

    async def _describe(self, still_s: float) -> str:
        context = self._context
        waiting = [*context.waiting.entries(), *(await context.ledger.waiting())]
        counts = await context.ledger.counts()
        admitted = await context.ledger.admitted()
        dump = {
            "waiting": [entry.model_dump() for entry in waiting],
            "ledger": counts.model_dump(),
            "admitted": admitted,
            "ready": await context.ledger.ready_ids(),
            "scoring": sorted(context.scoring),
            "progress": await context.ledger.progress(),
        }
        context.run_dir.write_json("stall.json", dump)
        who = "; ".join(f"{w.who} waits for {w.what} since {w.since_s:.0f} s" for w in waiting)
        limit_s = context.recipe.pipeline.stall_timeout_s
        starting = "" if self._has_served else f", {self._bound_s():g} until an engine serves"
        return (
            f"nothing progressed for {still_s:.0f} s (pipeline.stall_timeout_s = {limit_s:g}"
            f"{starting}); {counts.in_flight} groups in flight; "
            f"{who or 'nobody says what it waits for'}."
        )
