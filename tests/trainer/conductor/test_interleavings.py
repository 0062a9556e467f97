"""However admission, arrivals, training and crashes interleave: no group is lost, none twice."""

import asyncio
from typing import Any

import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from plaudit.client import ClientOptions, JudgeClient, RewardClient, RolloutClient
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.conductor.admission import max_live_groups, resubmit, submit
from plaudit_trainer.conductor.arrivals import Arrivals
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.scoring import Scorer
from plaudit_trainer.data import Row
from plaudit_trainer.ledger import ConductorLedger, LearnerLedger
from plaudit_trainer.run_dir import RunDir

GROUPS_PER_STEP = 2


class ConductorMachine(RuleBasedStateMachine):
    """Every rule is a conductor that starts, does something, and is killed."""

    rollouts: Any
    rewards: Any
    run_dir: RunDir
    rows: list[Row]
    recipe: Recipe
    redis_url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.client = redis.Redis.from_url(self.redis_url)

    @initialize()
    def start(self) -> None:
        self.client.flushall()
        for memory in ("submitted", "prompts", "results", "leased", "acked"):
            getattr(self.rollouts, memory).clear()
        self.learner = LearnerLedger(self.client, "r")
        self.learner.claim("test")
        self.step = self.checkpoint = 0
        self.trained: dict[str, int] = {}

    def conduct(self, work) -> None:
        async def live() -> None:
            options = ClientOptions(max_attempts=1)
            async with (
                redis.asyncio.Redis.from_url(self.redis_url) as client,
                RolloutClient(self.rollouts.url, options) as rollout,
                RewardClient(self.rewards.url, options) as reward,
                JudgeClient(self.rewards.url, options) as judge,
            ):
                context = Context(
                    run_id="r",
                    run_dir=self.run_dir,
                    recipe=self.recipe,
                    rows=self.rows,
                    ledger=ConductorLedger(client, "r"),
                    rollout=rollout,
                    served_step=self.step,
                )
                scorer = Scorer(self.recipe.rewards, None, self.recipe.pipeline, reward, judge)
                await work(context, scorer)

        self.runner.run(live())

    @rule(gets_through=st.booleans())
    def admit(self, gets_through: bool) -> None:
        async def work(context: Context, _: Scorer) -> None:
            bound = max_live_groups(context)
            admitted = await context.ledger.admit(max_live=bound, num_rows=len(self.rows))
            if gets_through:
                await submit(context, admitted)

        self.conduct(work)

    @rule()
    def submit_again(self) -> None:
        async def work(context: Context, _: Scorer) -> None:
            await resubmit(context)

        self.conduct(work)

    @rule(data=st.data())
    def generate(self, data: st.DataObject) -> None:
        if waiting := sorted(set(self.rollouts.prompts) - set(self.rollouts.results)):
            run_id, group_id = data.draw(st.sampled_from(waiting))
            self.rollouts.finish(group_id, run_id)

    @rule(lives_s=st.sampled_from([0.0, 0.01, 0.03, 0.2]), loses_acks=st.booleans())
    def score(self, lives_s: float, loses_acks: bool) -> None:
        self.rollouts.loses_acks = loses_acks

        async def work(context: Context, scorer: Scorer) -> None:
            task = asyncio.create_task(Arrivals(context, scorer).run())
            await asyncio.wait({task}, timeout=lives_s)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.conduct(work)

    @rule(num_stale=st.integers(0, 1))
    def train(self, num_stale: int) -> None:
        groups = [group.group_id for group in self.learner.peek_ready(GROUPS_PER_STEP)]
        stale, groups = groups[:num_stale], groups[num_stale:]
        self.step += 1
        self.learner.commit_step(self.step, groups, dict.fromkeys(stale, "stale"))
        for group in groups:
            assert group not in self.trained
            self.trained[group] = self.step

    @rule()
    def save(self) -> None:
        self.learner.checkpointed(self.step)
        self.checkpoint = self.step

    @rule()
    def crash_the_learner(self) -> None:
        self.learner.rollback(self.checkpoint)
        self.trained = {g: step for g, step in self.trained.items() if step <= self.checkpoint}
        self.step = self.checkpoint

    @invariant()
    def adds_up(self) -> None:
        counts = self.learner.counts()
        assert counts.admitted == counts.trained + sum(counts.dropped.values()) + counts.in_flight
        assert counts.trained == len(self.trained)

    @invariant()
    def every_ready_group_has_its_scores(self) -> None:
        for group in self.learner.peek_ready(100):
            assert [score.rewards for score in group.scores] == [{"accuracy": 1.0}] * 2

    def teardown(self) -> None:
        """Left alone, everything that is in flight is settled: nothing was lost."""
        self.rollouts.loses_acks = False

        async def work(context: Context, scorer: Scorer) -> None:
            await resubmit(context)
            for run_id, group_id in list(self.rollouts.prompts):
                self.rollouts.finish(group_id, run_id)
            task = asyncio.create_task(Arrivals(context, scorer).run())
            async with asyncio.timeout(10):
                while await context.ledger.admitted():
                    await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.conduct(work)
        self.runner.close()
        self.client.close()


def test_no_order_of_events_loses_a_group_or_trains_it_twice(
    rollouts, rewards, run_dir, rows, make_recipe, redis_url
):
    rollouts.at_once = False
    recipe = make_recipe(
        pipeline={"max_staleness": 1, "reward_timeout_s": 10}, budget={"steps": 1000}
    )
    for name, value in {
        "rollouts": rollouts, "rewards": rewards, "run_dir": run_dir, "rows": rows,
        "recipe": recipe, "redis_url": redis_url,
    }.items():  # fmt: skip
        setattr(ConductorMachine, name, value)
    run_state_machine_as_test(
        ConductorMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
