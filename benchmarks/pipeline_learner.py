"""A stand-in learner: claims the run, publishes versions, takes ready groups, commits steps."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch
from pipeline_engine import LOGPROB, NUM_COMPLETIONS, NUM_TOKENS

from plaudit.client import RolloutClient
from plaudit.schemas.policy import Probe, ProbeSequence
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.run import ReadyGroup
from plaudit_trainer.ledger import LearnerLedger
from plaudit_trainer.policy_store import PolicyStore
from plaudit_trainer.redis_clients import connect_sync

POLL_S = 0.005
PATIENCE_S = 15.0
STEPS_PER_VERSION = 2


class StandInLearner:
    """What the learner does with the ledger and with policy versions, and no training."""

    def __init__(
        self, run_dir: Path, recipe: Recipe, rollout_url: str, redis_url: str, stack: ExitStack
    ) -> None:
        self._recipe = recipe
        redis = connect_sync(redis_url)
        stack.callback(redis.close)
        self._client = stack.enter_context(RolloutClient(rollout_url).sync())
        self._store = PolicyStore(run_dir / "policies", run_dir.name, keep=4)
        self.ledger = LearnerLedger(redis, run_dir.name)
        self.ledger.claim("benchmark")
        self.last_group: ReadyGroup | None = None

    def publish(self, step: int) -> None:
        sequence = ProbeSequence(token_ids=[1, 2], logprobs=[LOGPROB])
        weights = {"weight": torch.zeros(1)}
        announcement = self._store.publish(step, weights, {}, Probe(sequences=[sequence]))
        self._client.announce(announcement)
        self._store.remove_old()

    def train(self, after_step: Callable[[int], None]) -> None:
        """All steps of the recipe, as fast as groups come."""
        budget = self._recipe.budget
        for step in range(1, budget.steps + 1):
            groups = self._take(self._recipe.pipeline.groups_per_step)
            self.ledger.commit_step(step, [group.group_id for group in groups], {})
            if step % budget.checkpoint_every_steps == 0 or step == budget.steps:
                self.ledger.checkpointed(step)
            if step % STEPS_PER_VERSION == 0 or step == budget.steps:
                self.publish(step)
            self.ledger.set_progress({"step": step})
            after_step(step)
        self.ledger.set_progress({"learner": "finished"})

    def _take(self, num_groups: int) -> list[ReadyGroup]:
        deadline_s = time.monotonic() + PATIENCE_S
        while self.ledger.count_ready() < num_groups:
            if time.monotonic() > deadline_s:
                raise SystemExit(f"no {num_groups} groups within {PATIENCE_S:g} s")
            time.sleep(POLL_S)
        groups = self.ledger.peek_ready(num_groups)
        for group in groups:
            check(group)
        self.last_group = groups[-1]
        return groups


def check(group: ReadyGroup) -> None:
    """A group that was not generated and scored whole would be cheap."""
    completions = group.rollout.completions
    assert len(completions) == len(group.scores) == NUM_COMPLETIONS, group.rollout.error
    assert all(len(one.token_ids) == len(one.logprobs) == NUM_TOKENS for one in completions)
    assert all(score.total is not None and not score.errors for score in group.scores)
