"""Scores a group and, at the same time, its counterfactuals; then takes the differences."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.mixing import Mixer
from plaudit.schemas.mixing import Mixed
from plaudit.schemas.reward import CompletionScore
from plaudit.schemas.rollout import RolloutGroup
from plaudit.schemas.run import Unit
from plaudit_trainer.conductor.metrics import COUNTERFACTUALS
from plaudit_trainer.conductor.scoring import Scored, Scorer
from plaudit_trainer.conductor.units.counterfactuals import Blanked, Counterfactuals, Rewards

STAGE = "counterfactuals"


@dataclass(frozen=True)
class UnitScorer:
    """In place of a `Scorer`: what it scores has units."""

    scorer: Scorer
    counterfactuals: Counterfactuals

    async def score(self, group: RolloutGroup, kind: str, key: str, tournament: int = 0) -> Scored:
        rewards = self.scorer.rewards_of(kind)
        scored, blanked = await asyncio.gather(
            self.scorer.score(group, kind, key, tournament),
            self.counterfactuals.score(group, rewards, key),
        )
        by_name: dict[str, Mixed] = {reward.name: reward for reward in self.scorer.rewards}
        scored.units = differences(scored.scores, blanked, Mixer.of(by_name, self.scorer.mixing))
        scored.missing_counterfactuals = blanked.missing
        scored.seconds[STAGE] = blanked.seconds
        _count(scored.units)
        return scored


def differences(
    scores: Sequence[CompletionScore], blanked: Blanked, mixer: Mixer
) -> list[list[Unit]]:
    """R - R(unit blanked); null where a reward of either is."""
    remaining = iter(blanked.rewards)
    return [
        [
            Unit(
                start=unit.start,
                end=unit.stop,
                difference=_difference(score.rewards, next(remaining), mixer),
            )
            for unit in units
        ]
        for score, units in zip(scores, blanked.units, strict=True)
    ]


def _difference(rewards: Rewards, without: Rewards, mixer: Mixer) -> float | None:
    if None in rewards.values() or None in without.values():
        return None
    [[whole, blanked]] = mixer.mix([[rewards, without]])
    total, rest = mixer.total(whole), mixer.total(blanked)
    return None if total is None or rest is None else total - rest


def _count(units: Sequence[Sequence[Unit]]) -> None:
    found = [unit.difference is not None for of_completion in units for unit in of_completion]
    COUNTERFACTUALS.labels("scored").inc(sum(found))
    COUNTERFACTUALS.labels("missing").inc(len(found) - sum(found))
