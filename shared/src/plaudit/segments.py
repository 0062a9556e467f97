"""Segments: where one ends, how its reward is normalised and spread over tokens.

The reward service scores with it, and the trainer trains unit reward models with it.
arXiv 2501.02790, "Segmenting Text and Learning Their Rewards for Improved RLHF in Language Model".
Positions count from the completion's first token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from plaudit.scale import MIN_STD

NORMALIZATION_FILE, NORMALIZATION_KEY = "normalization.json", "fit/parameters"
"""Where the folder of a unit reward model has what was fitted to its rewards."""
STD_FLOOR_SHARE = 1e-3
"""Of the std at the end of the text; the fitted line falls below 0 in very early segments."""

Spread = Literal[
    "segment_normalization",
    "same_segment_last",
    "every_segment_last",
    "segment_last_avg",
    "segment_last_logsumexp",
]
WHOLE_TEXT = ("segment_last_avg", "segment_last_logsumexp")
"""Forms that give one reward, for the last token; the others give one for each segment."""


@dataclass(frozen=True)
class LocationNorm:
    """Mean and std of a segment reward at the share p of the text: w * ln(p) + b each.

    Before `p_min`, the earliest place of the fit, they are those of `p_min`. The lines say nothing
    there, and a policy finds that out: a std near 0 makes a fortune of any segment.
    """

    w_mu: float = 0.0
    w_sigma: float = 0.0
    b_mu: float = 0.0
    b_sigma: float = 1.0
    p_min: float = 0.0

    def mean(self, p: float) -> float:
        return self.w_mu * math.log(max(p, self.p_min)) + self.b_mu

    def std(self, p: float) -> float:
        """At least 1e-3 of `b_sigma`."""
        floor = max(STD_FLOOR_SHARE * self.b_sigma, MIN_STD)
        return max(self.w_sigma * math.log(max(p, self.p_min)) + self.b_sigma, floor)


def segment_ends(entropies: Sequence[float], cutoff: float, *, ends_with_eos: bool) -> list[int]:
    """Last token of each segment.

    The entropy at a token is that of the token after it: over `cutoff` nats, the next token starts
    a segment. The last segment ends at the last token before EOS, which is in no segment. Empty
    where there is nothing but EOS.
    """
    last = len(entropies) - 1 - ends_with_eos
    if last < 0:
        return []
    return [j for j in range(last) if entropies[j] > cutoff] + [last]


def normalized(rewards: Sequence[float], norm: LocationNorm) -> list[float]:
    """(r - mean(p)) / std(p) for the j-th of T segments, p = (j + 1) / T."""
    shares = [(j + 1) / len(rewards) for j in range(len(rewards))]
    return [(r - norm.mean(p)) / norm.std(p) for r, p in zip(rewards, shares, strict=True)]


def spread_over_tokens(
    rewards: Sequence[float], ends: Sequence[int], num_tokens: int, form: Spread
) -> tuple[float, ...]:
    """One value for each token, 0 where the form gives it nothing.

    Forms of the whole text take its one reward.
    """
    values = [0.0] * num_tokens
    if form in WHOLE_TEXT:
        values[-1] = rewards[0]
        return tuple(values)
    start = 0
    for reward, end in zip(rewards, ends, strict=True):
        if form == "every_segment_last":
            values[end] = reward
        else:
            length = end + 1 - start
            share = reward / length if form == "segment_normalization" else reward
            values[start : end + 1] = [share] * length
        start = end + 1
    return tuple(values)


def text_reward(rewards: Sequence[float], form: Spread) -> float:
    """What the segments' rewards make for the whole text."""
    if form != "segment_last_logsumexp":
        return math.fsum(rewards) / len(rewards)
    highest = max(rewards)
    return highest + math.log(math.fsum(math.exp(reward - highest) for reward in rewards))
