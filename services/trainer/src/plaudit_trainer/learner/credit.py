"""Credit: what each completion of a group gains or loses, from the scores of the whole group.

Formulas: GRPO (DeepSeekMath, arXiv 2402.03300) with the sample standard deviation, as in TRL.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plaudit.mixing import STD_EPSILON, Group, Mixer, Values
from plaudit.schemas.recipe import MethodRecipe
from plaudit.schemas.reward import CompletionScore
from plaudit.schemas.run import ReadyGroup

MIN_COMPARABLE = 2
LARGEST_REWARD = 1e9
"""A value beyond it (or not finite) is a fault of its service and counts as missing."""


@dataclass(frozen=True)
class Credit:
    """Entry i belongs to completion i. `totals[i]` is None where it cannot be compared: masked."""

    totals: list[float | None]
    advantages: list[float]
    rewards: list[float | None]
    """The totals without scaling and clipping: how good the completions were."""
    values: Sequence[Values] = ()
    """What the totals were made of, by reward, before weights."""

    @property
    def has_zero_variance(self) -> bool:
        known = [total for total in self.totals if total is not None]
        return max(known) == min(known)


def assign_credits(
    groups: Sequence[ReadyGroup], mixer: Mixer, method: MethodRecipe
) -> list[Credit | None]:
    """Of all groups of a step, whose rewards may be scaled together."""
    names = list(mixer.rewards)
    batch: list[Group] = [_sane_values(group.scores, names) for group in groups]
    mixed, plain = (batch, batch) if mixer.is_plain else (mixer.mix(batch), _unscaled(mixer, batch))
    found = []
    for values, rewards in zip(mixed, plain, strict=True):
        credit = assign_credit(values, mixer.weights, method.scale_rewards)
        shown = comparable_totals(rewards, mixer.weights)
        found.append(credit and replace(credit, rewards=shown, values=values))
    return found


def means(credits: Iterable[Credit]) -> dict[str, float]:
    """Of each reward over all completions, after gates, scaling and clipping."""
    columns: dict[str, list[float]] = {}
    for credit in credits:
        for values in credit.values:
            for name, value in values.items():
                if value is not None:
                    columns.setdefault(name, []).append(value)
    return {name: statistics.fmean(column) for name, column in columns.items()}


def assign_credit(
    group: Sequence[Values],
    weights: Mapping[str, float],
    scale: Literal["group", "none"],
) -> Credit | None:
    """Advantages of one group of mixed values, or None when fewer than two can be compared.

    A reward that is null for every completion is left out: that is fair within the group. A
    completion that lacks a reward which others of the group have is masked instead: its total
    would be a sum over other rewards than theirs.
    """
    totals = comparable_totals(group, weights)
    known = [total for total in totals if total is not None]
    if len(known) < MIN_COMPARABLE:
        return None
    mean = statistics.fmean(known)
    scale_by = statistics.stdev(known) + STD_EPSILON if scale == "group" else 1.0
    advantages = [0.0 if total is None else (total - mean) / scale_by for total in totals]
    return Credit(totals, advantages, totals)


def comparable_totals(group: Sequence[Values], weights: Mapping[str, float]) -> list[float | None]:
    names = [name for name in weights if any(v.get(name) is not None for v in group)]
    return [_total(values, names, weights) if names else None for values in group]


def _unscaled(mixer: Mixer, batch: Sequence[Group]) -> Sequence[Group]:
    return mixer.unscaled().mix(batch)


def _sane_values(scores: Sequence[CompletionScore], names: Sequence[str]) -> list[Values]:
    """What is no sane number is missing."""
    return [{name: _sane(score.rewards.get(name)) for name in names} for score in scores]


def _total(values: Values, names: Sequence[str], weights: Mapping[str, float]) -> float | None:
    known = {name: value for name in names if (value := values.get(name)) is not None}
    if len(known) < len(names):
        return None
    return math.fsum(weights[name] * value for name, value in known.items())


def _sane(value: float | None) -> float | None:
    is_sane = value is not None and math.isfinite(value) and abs(value) <= LARGEST_REWARD
    return value if is_sane else None
