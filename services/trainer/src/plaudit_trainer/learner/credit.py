"""Credit: what each completion of a group gains or loses, from the scores of the whole group.

Formulas: GRPO (DeepSeekMath, arXiv 2402.03300) with the sample standard deviation, as in TRL.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from plaudit.schemas.recipe import Recipe
from plaudit.schemas.reward import CompletionScore

JUDGE_KEY = "judge"
"""The judge's reward stands under this name beside the others."""
STD_EPSILON = 1e-4
MIN_COMPARABLE = 2
LARGEST_REWARD = 1e9
"""A value beyond it (or not finite) is a fault of its service and counts as missing."""


@dataclass(frozen=True)
class Credit:
    """Entry i belongs to completion i. `totals[i]` is None where it cannot be compared: masked."""

    totals: list[float | None]
    advantages: list[float]

    @property
    def has_zero_variance(self) -> bool:
        known = [total for total in self.totals if total is not None]
        return max(known) == min(known)


def reward_weights(recipe: Recipe) -> dict[str, float]:
    weights = {reward.name: reward.weight for reward in recipe.rewards}
    if recipe.judge is not None:
        weights[JUDGE_KEY] = recipe.judge.weight
    return weights


def assign_credit(
    scores: Sequence[CompletionScore],
    weights: Mapping[str, float],
    scale: Literal["group", "none"],
) -> Credit | None:
    """Advantages of one group, or None when fewer than two completions can be compared.

    A reward that is null for every completion is left out: that is fair within the group. A
    completion that lacks a reward which others of the group have is masked instead: its total
    would be a sum over other rewards than theirs.
    """
    totals = _comparable_totals(scores, weights)
    known = [total for total in totals if total is not None]
    if len(known) < MIN_COMPARABLE:
        return None
    mean = statistics.fmean(known)
    scale_by = statistics.stdev(known) + STD_EPSILON if scale == "group" else 1.0
    advantages = [0.0 if total is None else (total - mean) / scale_by for total in totals]
    return Credit(totals, advantages)


def _comparable_totals(
    scores: Sequence[CompletionScore], weights: Mapping[str, float]
) -> list[float | None]:
    names = [name for name in weights if any(_value(score, name) is not None for score in scores)]
    return [_total(score, names, weights) if names else None for score in scores]


def _total(
    score: CompletionScore, names: Sequence[str], weights: Mapping[str, float]
) -> float | None:
    values = {name: _value(score, name) for name in names}
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(values):
        return None
    return math.fsum(weights[name] * value for name, value in known.items())


def _value(score: CompletionScore, name: str) -> float | None:
    value = score.rewards.get(name)
    is_sane = value is not None and math.isfinite(value) and abs(value) <= LARGEST_REWARD
    return value if is_sane else None
