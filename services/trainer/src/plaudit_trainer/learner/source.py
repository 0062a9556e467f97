"""Where the learner's groups come from: the oldest ready ones that are fit to train on."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from plaudit.errors import ConfigError, Stalled
from plaudit.mixing import Mixer
from plaudit.schemas.recipe import MethodRecipe, Recipe
from plaudit.schemas.run import ReadyGroup
from plaudit_trainer.learner.batch import Row
from plaudit_trainer.learner.credit import Credit, assign_credits, means
from plaudit_trainer.learner.wait import GroupLedger, Wait
from plaudit_trainer.learner.weights import LearnedWeights
from plaudit_trainer.replay import ReplayBuffer

POLL_S = 0.02
MAX_DROPPED_PER_STEP = 64
"""Times `groups_per_step`: so many groups dropped in search of one batch, and the run stalls."""


class StopRequested(Exception):
    """SIGTERM came while no step was under way."""


@dataclass(frozen=True)
class Taken:
    """A group of the batch. `staleness` is in learner steps."""

    group: ReadyGroup
    credit: Credit
    staleness: int
    is_on_policy: bool = False

    @property
    def reward(self) -> float:
        """Mean over the completions that have one."""
        return statistics.fmean(self._known)

    @property
    def spread(self) -> float:
        """Mean distance of the rewards from their mean: |advantage| before any scaling."""
        return statistics.fmean(abs(reward - self.reward) for reward in self._known)

    @property
    def _known(self) -> list[float]:
        return [reward for reward in self.credit.rewards if reward is not None]

    def rows(self, number: int, *, mask_truncated: bool) -> list[Row]:
        """`number`: of the group in the batch."""
        rollout, credit, units = self.group.rollout, self.credit, self.group.units
        return [
            Row(
                prompt_ids=rollout.prompt_token_ids,
                completion_ids=completion.token_ids,
                logprobs=completion.logprobs,
                reward=total,
                group=number,
                token_rewards=credit.token_rewards[index] if credit.token_rewards else [],
                units=units[index] if units else [],
                is_masked=total is None or (mask_truncated and completion.finish_reason != "stop"),
                is_on_policy=self.is_on_policy,
            )
            for index, (completion, total) in enumerate(
                zip(rollout.completions, credit.totals, strict=True)
            )
        ]


@dataclass
class Batch:
    groups: list[Taken]
    dropped: dict[str, int] = field(default_factory=dict)
    """How many groups were dropped in search of this batch, by reason."""
    replayed: list[Taken] = field(default_factory=list)
    """Of earlier steps, trained on again beside the others."""
    wait_s: float = 0.0
    credit_s: float = 0.0


@dataclass
class GroupSource:
    """`steps_of_versions` maps a policy version to the learner step that made it.

    Versions before `first_version` are of an earlier process: a resumed learner may have left
    the path that they were on.
    """

    ledger: GroupLedger
    recipe: Recipe
    steps_of_versions: Mapping[int, int]
    first_version: int = 0
    is_stopping: Callable[[], bool] = lambda: False
    learned: LearnedWeights | None = None
    replay: ReplayBuffer | None = None

    def take(self, num_steps_done: int) -> Batch:
        """The next batch. Its groups stay ready until the step is committed.

        Unfit groups are dropped in the ledger at once, so that others are admitted for them.
        Raises Stalled when nothing moves for stall_timeout_s, StopRequested on SIGTERM.
        """
        wanted = self.recipe.pipeline.groups_per_step
        batch = Batch([])
        wait = Wait(self.ledger, self.recipe)
        while True:
            groups = self._wait_for_groups(wanted, wait)
            started_s = time.monotonic()
            batch.groups, dropped = self._judge(groups, num_steps_done)
            batch.credit_s += time.monotonic() - started_s
            if not dropped:
                batch.wait_s = wait.total_s
                batch.replayed = self._replayed(num_steps_done)
                return batch
            self.ledger.commit_step(num_steps_done + 1, [], dropped)
            self._count(dropped, batch)

    def _wait_for_groups(self, wanted: int, wait: "Wait") -> list[ReadyGroup]:
        with wait:
            while (num_ready := self.ledger.count_ready()) < wanted:
                if self.is_stopping():
                    raise StopRequested
                wait.check(num_ready, wanted)
                time.sleep(POLL_S)
        if self.is_stopping():
            raise StopRequested
        return self.ledger.peek_ready(wanted)

    def _judge(
        self, groups: list[ReadyGroup], num_steps_done: int
    ) -> tuple[list[Taken], dict[str, str]]:
        """Those to train on, with their credit; why the others are dropped."""
        verdicts = {group.group_id: self._unfit(group, num_steps_done) for group in groups}
        dropped = {group_id: reason for group_id, reason in verdicts.items() if reason}
        fit = [group for group in groups if group.group_id not in dropped]
        taken: list[Taken] = []
        for group, credit in zip(fit, assign_credits(fit, self.mixer(), self.method), strict=True):
            if credit is None:
                dropped[group.group_id] = "no_reward"
            elif credit.has_zero_variance and self.method.zero_variance == "replace":
                dropped[group.group_id] = "zero_variance"
            else:
                _check_learnable(credit, self.learned)
                taken.append(self._taken(group, credit, num_steps_done))
        return taken, dropped

    def _replayed(self, num_steps_done: int) -> list[Taken]:
        if self.replay is None:
            return []
        groups = [item.group for item in self.replay.draw(num_steps_done)]
        credits = assign_credits(groups, self.mixer(), self.method)
        pairs = zip(groups, credits, strict=True)
        return [self._taken(group, one, num_steps_done) for group, one in pairs if one is not None]

    @property
    def method(self) -> MethodRecipe:
        return self.recipe.method

    def mixer(self) -> Mixer:
        mixer = Mixer.of(self.recipe.mixed(), self.recipe.mixing)
        return mixer if self.learned is None else replace(mixer, weights=self.learned.weights())

    def learn_weights(self, groups: Sequence[Taken]) -> None:
        """After a step, where the recipe has the weights learned."""
        if self.learned is not None:
            self.learned.step(means([taken.credit for taken in groups]))

    def remember(self, batch: Batch, num_steps_done: int) -> None:
        """Keep the new groups of a step that is done for others, and what the replayed earned."""
        if self.replay is None:
            return
        for taken in batch.groups:
            step = num_steps_done - 1 - taken.staleness
            self.replay.add(taken.group, taken.reward, taken.spread, step)
        for taken in batch.replayed:
            self.replay.trained_again(taken.group, taken.reward, taken.spread)

    def _unfit(self, group: ReadyGroup, num_steps_done: int) -> str | None:
        completions = group.rollout.completions
        if not len(completions) == len(group.scores) == self.method.num_generations:
            return "incomplete"
        staleness = self._staleness(_versions(group), num_steps_done)
        return "stale" if staleness > self.recipe.pipeline.max_staleness else None

    def _taken(self, group: ReadyGroup, credit: Credit, num_steps_done: int) -> Taken:
        versions = _versions(group)
        staleness = self._staleness(versions, num_steps_done)
        return Taken(group, credit, staleness, self._is_on_policy(versions, num_steps_done))

    def _staleness(self, versions: Set[int], num_steps_done: int) -> int:
        """Steps since the oldest version that produced a token. An unknown version is of step 0."""
        oldest = min((self.steps_of_versions.get(v, 0) for v in versions), default=0)
        return max(0, num_steps_done - oldest)

    def _is_on_policy(self, versions: Set[int], num_steps_done: int) -> bool:
        return all(
            version >= self.first_version and self.steps_of_versions.get(version) == num_steps_done
            for version in versions
        )

    def _count(self, dropped: Mapping[str, str], batch: Batch) -> None:
        for reason in dropped.values():
            batch.dropped[reason] = batch.dropped.get(reason, 0) + 1
        bound = MAX_DROPPED_PER_STEP * self.recipe.pipeline.groups_per_step
        if sum(batch.dropped.values()) > bound:
            raise Stalled(
                f"learner: dropped {bound} groups in search of one batch: {batch.dropped}.",
                fix="'zero_variance': the task is too hard or too easy, or set "
                "method.zero_variance = 'keep'; 'no_reward': look at the reward service; "
                "'stale': raise pipeline.max_staleness",
            )


def _check_learnable(credit: Credit, learned: LearnedWeights | None) -> None:
    if learned is not None and credit.token_rewards:
        raise ConfigError(
            "mixing.learnable: weights are learned from the rewards of whole completions, and a "
            "reward of this recipe counts per token.",
            fix="set mixing.learnable = false, or choose a group-relative method",
        )


def _versions(group: ReadyGroup) -> set[int]:
    return {version for c in group.rollout.completions for version in c.policy_versions}
