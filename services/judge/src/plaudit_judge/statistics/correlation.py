"""How two numbers of each item go together."""

import numpy as np
from numpy.typing import NDArray

from plaudit.schemas.judge_statistics import Estimate
from plaudit_judge.statistics.bootstrap import Matrix, Vector, bootstrap, divide, is_positive


def pearson(x: Vector, y: Vector, seed: int) -> Estimate | None:
    """None when one of them does not vary. Source: Pearson 1895."""
    x, y = _centred(x), _centred(y)
    return bootstrap(len(x), lambda weights: correlate(weights, x, y), seed)


def spearman(x: Vector, y: Vector, seed: int) -> Estimate | None:
    """Pearson's of the ranks, equal values sharing the mean rank. Source: Spearman 1904."""
    ranks_x, ranks_y = Ranks(x), Ranks(y)
    return bootstrap(
        len(x), lambda weights: correlate(weights, ranks_x(weights), ranks_y(weights)), seed
    )


def correlate(weights: Matrix, x: Matrix | Vector, y: Matrix | Vector) -> Vector:
    """Of each row's weighted items; x and y [item], or [row, item]."""
    spread_x, varies_x = _spread(weights, x)
    spread_y, varies_y = _spread(weights, y)
    sums = (weights * x).sum(axis=1) * (weights * y).sum(axis=1)
    both = (weights * x * y).sum(axis=1) - sums / weights.sum(axis=1)
    found = divide(both, np.sqrt(np.abs(spread_x * spread_y)), varies_x & varies_y)
    return np.clip(found, -1.0, 1.0)


def _spread(weights: Matrix, x: Matrix | Vector) -> tuple[Vector, NDArray[np.bool_]]:
    """The sum of the squares around each row's mean, and whether there are two values at all."""
    squares, sums = (weights * x**2).sum(axis=1), (weights * x).sum(axis=1)
    spread = squares - sums**2 / weights.sum(axis=1)
    return spread, is_positive(spread, squares)


def _centred(x: Vector) -> Vector:
    """So that squares lose no digits."""
    return x - x.mean() if x.size else x


class Ranks:
    """The ranks of `x`, counted from their middle, in any resample of the items."""

    def __init__(self, x: Vector) -> None:
        self._order = np.argsort(x)
        steps = np.diff(x[self._order], prepend=np.nan) != 0
        self._starts = np.flatnonzero(steps)
        self._group = np.empty(len(x), dtype=np.intp)
        self._group[self._order] = np.cumsum(steps) - 1

    def __call__(self, weights: Matrix) -> Matrix:
        sizes = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        through = np.cumsum(sizes, axis=1)
        ranks = through - sizes / 2.0 - through[:, -1:] / 2.0
        return ranks[:, self._group].astype(np.float64)
