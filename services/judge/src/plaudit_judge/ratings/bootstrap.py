"""How sure the ratings of a tournament are."""

import random
from collections.abc import Sequence

import numpy as np

from plaudit.schemas.judge import Interval, TournamentRules
from plaudit_judge.chance import draw
from plaudit_judge.ratings.rate import Judged, rate

_PERCENTILES = (2.5, 97.5)


def bootstrap_intervals(
    rules: TournamentRules,
    num_items: int,
    judged: Sequence[Judged],
    resamples: int,
    seed: int,
) -> list[Interval | None]:
    """95 % percentile intervals over `resamples` draws of the comparisons with replacement.

    A draw in which an item was not compared says nothing of it. Comparisons stay in their order,
    which matters to sequential Elo. Source: Efron 1979.
    """
    if not judged:
        return [None] * num_items
    chance = random.Random(draw(seed, "bootstrap"))
    seen: list[list[float]] = [[] for _ in range(num_items)]
    for _ in range(resamples):
        picks = sorted(chance.choices(range(len(judged)), k=len(judged)))
        for item, rating in enumerate(rate(rules, num_items, [judged[i] for i in picks], seed)):
            if rating is not None:
                seen[item].append(rating)
    return [_interval(ratings) for ratings in seen]


def _interval(ratings: list[float]) -> Interval | None:
    if not ratings:
        return None
    low, high = np.percentile(ratings, _PERCENTILES)
    return Interval(low=float(low), high=float(high))
