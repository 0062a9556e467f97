"""Rewards from ratings. An item without a rating has no reward, and shifts nobody else's."""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

_MIN_SPREAD = 1e-6
"""Ratings closer than this are equal as far as anyone knows."""
Ratings = Sequence[float | None]


def min_max_rewards(ratings: Ratings, low: float, high: float) -> list[float | None]:
    """low + (high - low) (r - min) / (max - min); the middle when the spread is under 1e-6.

    Source: algorithms.md 2.5 (SR-R1: [0, 3], 1.5).
    """
    known = _known(ratings)
    bottom, spread = min(known, default=0.0), _spread(known)
    if spread < _MIN_SPREAD:
        middle = (low + high) / 2.0
        return [None if r is None else middle for r in ratings]
    return [None if r is None else low + (high - low) * ((r - bottom) / spread) for r in ratings]


def z_score_rewards(ratings: Ratings) -> list[float | None]:
    """(r - mean) / standard deviation (of the group, not a sample); 0 when the spread is < 1e-6."""
    known = _known(ratings)
    if _spread(known) < _MIN_SPREAD:
        return [None if r is None else 0.0 for r in ratings]
    mean, deviation = fmean(known), pstdev(known)
    return [None if r is None else (r - mean) / deviation for r in ratings]


def rank_rewards(ratings: Ratings, low: float, high: float) -> list[float | None]:
    """Ranks spaced evenly over [low, high], the last has `low`; equal ratings share the mean rank.

    Ratings within 1e-6 of the next are equal.
    """
    ranks = mean_ranks(ratings)
    last = len(ranks) - 1
    if last < 1:
        return [None if r is None else (low + high) / 2.0 for r in ratings]
    return [
        low + (high - low) * (ranks[item] / last) if item in ranks else None
        for item in range(len(ratings))
    ]


def mean_ranks(ratings: Ratings) -> dict[int, float]:
    """By item, 0 for the lowest; those without a rating have none."""
    order = sorted((r, item) for item, r in enumerate(ratings) if r is not None)
    ranks: dict[int, float] = {}
    tied: list[int] = []
    for position, (rating, item) in enumerate(order):
        tied.append(item)
        following = order[position + 1][0] if position + 1 < len(order) else math.inf
        if following - rating >= _MIN_SPREAD:
            mean = position - (len(tied) - 1) / 2.0
            ranks |= dict.fromkeys(tied, mean)
            tied = []
    return ranks


def _known(ratings: Ratings) -> list[float]:
    return [rating for rating in ratings if rating is not None]


def _spread(known: Sequence[float]) -> float:
    return max(known) - min(known) if known else 0.0
