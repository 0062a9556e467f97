"""Mixing: the rewards of a completion -> one number. The reward service and the learner use it.

Gate, scale and clip are described by `plaudit.schemas.mixing`; z-scores are those of GRPO (sample
standard deviation plus 1e-4), weights are normalised as GRAIL's.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from plaudit.schemas.mixing import Mixed, Mixing

STD_EPSILON = 1e-4

Values = Mapping[str, float | None]
"""What one completion got, by reward; None is missing."""
Group = Sequence[Values]
Column = list[float | None]


@dataclass(frozen=True)
class Mixer:
    """`rewards` by name, `weights` as they count."""

    rewards: Mapping[str, Mixed]
    weights: Mapping[str, float]

    @classmethod
    def of(cls, rewards: Mapping[str, Mixed], mixing: Mixing) -> Self:
        weights = {name: one.weight for name, one in rewards.items()}
        return cls(rewards, normalized(weights) if mixing.normalize_weights else weights)

    @property
    def is_plain(self) -> bool:
        """Nothing but weights: `mix` would change nothing."""
        rules = self.rewards.values()
        return all(one.scale == "none" and one.clip is None and one.gate is None for one in rules)

    def unscaled(self) -> "Mixer":
        """Gates and weights only."""
        changes = {"scale": "none", "clip": None}
        rewards = {name: one.model_copy(update=changes) for name, one in self.rewards.items()}
        return Mixer(rewards, self.weights)

    def mix(self, batch: Sequence[Group]) -> list[list[Values]]:
        """Every value gated, scaled and clipped. What is not among `rewards` is left out."""
        names = [name for name in self.rewards if any(name in v for group in batch for v in group)]
        columns = {name: self._column(name, batch) for name in names}
        return [
            [
                {name: columns[name][index][row] for name in names if name in values}
                for row, values in enumerate(group)
            ]
            for index, group in enumerate(batch)
        ]

    def is_shut(self, name: str, values: Values) -> bool:
        """Its gate is shut: whatever it says counts 0."""
        return _is_shut(self.rewards[name], values)

    def total(self, values: Values) -> float | None:
        """The weighted sum of what is not missing, or None when nothing is left."""
        weighted = [
            self.weights[name] * value for name, value in values.items() if value is not None
        ]
        return float(sum(weighted)) if weighted else None

    def _column(self, name: str, batch: Sequence[Group]) -> list[Column]:
        """One reward's values, group by group."""
        rule = self.rewards[name]
        shut = [[_is_shut(rule, values) for values in group] for group in batch]
        opened = [
            [
                None if is_shut else _opened(rule, name, values)
                for is_shut, values in zip(*pair, strict=True)
            ]
            for pair in zip(shut, batch, strict=True)
        ]
        scaled = [[_clipped(rule, value) for value in column] for column in _scaled(rule, opened)]
        return [
            [0.0 if is_shut else value for is_shut, value in zip(*pair, strict=True)]
            for pair in zip(shut, scaled, strict=True)
        ]


def normalized(weights: Mapping[str, float]) -> dict[str, float]:
    """Negative ones 0, and all divided by the sum (by 1 when that is 0)."""
    positive = {name: max(0.0, weight) for name, weight in weights.items()}
    by = sum(positive.values()) or 1.0
    return {name: weight / by for name, weight in positive.items()}


def _is_shut(rule: Mixed, values: Values) -> bool:
    if rule.gate is None:
        return False
    deciding = values.get(rule.gate.reward)
    return deciding is not None and deciding < rule.gate.at_least


def _opened(rule: Mixed, name: str, values: Values) -> float | None:
    """The value, unless nobody knows whether it counts."""
    if rule.gate is not None and values.get(rule.gate.reward) is None:
        return None
    return values.get(name)


def _scaled(rule: Mixed, columns: list[Column]) -> list[Column]:
    if rule.scale == "group":
        return [_zscores(column) for column in columns]
    if rule.scale == "batch":
        scores = iter(_zscores([value for column in columns for value in column]))
        return [[next(scores) for _ in column] for column in columns]
    return columns


def _zscores(column: Column) -> Column:
    known = [value for value in column if value is not None]
    if not known:
        return column
    mean = statistics.fmean(known)
    by = (statistics.stdev(known) if len(known) > 1 else 0.0) + STD_EPSILON
    return [None if value is None else (value - mean) / by for value in column]


def _clipped(rule: Mixed, value: float | None) -> float | None:
    if value is None or rule.clip is None:
        return value
    lowest, highest = rule.clip
    return min(highest, max(lowest, value))
