"""Learned reward weights: softmax(logits), moved by Adam to raise the mean mixed reward.

Source: GRAIL's learnable mixer (liv-daliberti/grail-simulation), for any number of rewards. The
loss is -mean(sum_i w_i r_i); with m_i the mean of reward i in the step, its gradient by logit k is
-w_k (m_k - sum_i w_i m_i).
"""

import math
from collections.abc import Mapping

from plaudit.mixing import normalized
from plaudit.schemas.common import Contract

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
SMALLEST_WEIGHT = 1e-8
"""A reward that starts with no weight has a logit all the same."""


class LearnedState(Contract):
    """What a checkpoint keeps."""

    logits: dict[str, float]
    first_moments: dict[str, float]
    second_moments: dict[str, float]
    num_steps: int = 0


class LearnedWeights:
    """Starts at the normalised `weights`, or where `state` was left."""

    def __init__(
        self, weights: Mapping[str, float], learning_rate: float, state: LearnedState | None = None
    ) -> None:
        self._learning_rate = learning_rate
        self.state = state or LearnedState(
            logits={n: math.log(max(w, SMALLEST_WEIGHT)) for n, w in normalized(weights).items()},
            first_moments=dict.fromkeys(weights, 0.0),
            second_moments=dict.fromkeys(weights, 0.0),
        )

    def weights(self) -> dict[str, float]:
        """They sum up to 1."""
        logits = self.state.logits
        highest = max(logits.values())
        powers = {name: math.exp(logit - highest) for name, logit in logits.items()}
        return {name: power / sum(powers.values()) for name, power in powers.items()}

    def step(self, means: Mapping[str, float]) -> None:
        """One step of Adam. A reward without a mean was missing throughout and is left out."""
        weights = normalized({name: self.weights()[name] for name in means})
        mixed = sum(weight * means[name] for name, weight in weights.items())
        slopes = {name: -weight * (means[name] - mixed) for name, weight in weights.items()}
        self._move({name: slopes.get(name, 0.0) for name in self.state.logits})

    def _move(self, slopes: Mapping[str, float]) -> None:
        old, count = self.state, self.state.num_steps + 1
        first = {n: BETA_1 * old.first_moments[n] + (1 - BETA_1) * g for n, g in slopes.items()}
        second = {
            n: BETA_2 * old.second_moments[n] + (1 - BETA_2) * g * g for n, g in slopes.items()
        }
        logits = {n: old.logits[n] - self._move_of(first[n], second[n], count) for n in slopes}
        self.state = LearnedState(
            logits=logits, first_moments=first, second_moments=second, num_steps=count
        )

    def _move_of(self, first: float, second: float, count: int) -> float:
        mean, variance = first / (1 - BETA_1**count), second / (1 - BETA_2**count)
        return self._learning_rate * mean / (math.sqrt(variance) + EPSILON)
