"""Whatever happens in whatever order, admitted == trained + dropped + in flight."""

from typing import Any

import redis
import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from plaudit.schemas.rollout import RolloutGroup
from plaudit.schemas.run import ReadyGroup
from plaudit.testing.redis import redis_server
from plaudit_trainer.ledger import LearnerLedger, scripts
from plaudit_trainer.ledger.keys import script_keys


def payload(group_id: str) -> bytes:
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


class LedgerMachine(RuleBasedStateMachine):
    """Drives the scripts beside a model that only counts."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.client = redis.Redis.from_url(self.url)

    @initialize()
    def start(self) -> None:
        self.client.flushall()
        self.learner = LearnerLedger(self.client, "r")
        self.learner.claim("test")
        self.keys = script_keys("r")
        self.admitted: set[str] = set()
        self.seen: set[str] = set()
        self.step = self.checkpoint = 0
        self.trained_at: dict[str, int] = {}
        self.settled: set[str] = set()

    def run_script(self, source: str, *args: Any) -> Any:
        return self.client.register_script(source)(keys=self.keys, args=args)

    @rule(extra=st.integers(0, 6))
    def admit(self, extra: int) -> None:
        bound = self.learner.counts().trained + self.learner.counts().in_flight + extra
        groups = [g.decode() for g in self.run_script(scripts.ADMIT, bound, 4, 99, 0.0)]
        assert len(groups) == extra
        assert not self.seen & set(groups), "an id was given out twice"
        self.seen |= set(groups)
        self.admitted |= set(groups)

    @rule(data=st.data())
    def ready(self, data: st.DataObject) -> None:
        if self.seen:
            one = st.sampled_from(sorted(self.seen))
            groups = data.draw(st.lists(one, min_size=1, max_size=4))
            pairs = [part for group in groups for part in (group, payload(group))]
            for group, done in zip(groups, self.run_script(scripts.READY, *pairs), strict=True):
                assert bool(done) == (group in self.admitted)
                self.admitted.discard(group)

    @rule(num=st.integers(0, 4), num_stale=st.integers(0, 2))
    def train(self, num: int, num_stale: int) -> None:
        groups = [g.group_id for g in self.learner.peek_ready(num + num_stale)]
        trained, stale = groups[:num], groups[num:]
        self.step += 1
        self.learner.commit_step(self.step, trained, dict.fromkeys(stale, "stale"))
        for group in trained:
            assert group not in self.trained_at and group not in self.settled
            self.trained_at[group] = self.step

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.admitted:
            group = data.draw(st.sampled_from(sorted(self.admitted)))
            assert self.run_script(scripts.DROP, "why", "1", group) == 1
            self.admitted.discard(group)

    @rule()
    def save(self) -> None:
        self.learner.checkpointed(self.step)
        self.checkpoint = self.step
        self.settled |= set(self.trained_at)
        self.trained_at = {}

    @rule()
    def crash(self) -> None:
        assert self.learner.rollback(self.checkpoint) == len(self.trained_at)
        self.trained_at = {}
        self.step = self.checkpoint

    @invariant()
    def adds_up(self) -> None:
        counts = self.learner.counts()
        assert counts.admitted == len(self.seen)
        assert counts.admitted == counts.trained + sum(counts.dropped.values()) + counts.in_flight
        assert counts.trained == len(self.trained_at) + len(self.settled)
        assert counts.in_flight == len(self.admitted) + self.learner.count_ready()

    def teardown(self) -> None:
        self.client.close()


def test_the_ledger_adds_up_after_any_sequence_of_events() -> None:
    with redis_server() as url:
        LedgerMachine.url = url
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
