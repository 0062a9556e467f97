"""Agreement of any number of observers, who need not all have seen every item.

1 - (observed disagreement) / (expected disagreement). Items with one value say nothing.
Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from statistics import fmean

import numpy as np

from plaudit.schemas.judge_statistics import Estimate
from plaudit_judge.statistics.bootstrap import Matrix, Vector, bootstrap, divide, is_positive

_Disagreement = Callable[[Vector, Matrix], Vector]
"""The sum over all ordered pairs of values, from their number and their sums, row by row."""


def nominal_alpha(counts: Matrix, seed: int) -> Estimate | None:
    """`counts` [item, class]: how many observers named it. None when all name one class."""
    return _alpha(counts.sum(axis=1), counts, _count_unequal, seed)


def interval_alpha(items: Sequence[Sequence[float]], seed: int) -> Estimate | None:
    """Of the numbers that each item got. None when all are equal."""
    # Around their mean, so that squares lose no digits.
    middle = fmean(chain.from_iterable(items)) if any(items) else 0.0
    shifted = [np.array(item, dtype=np.float64) - middle for item in items]
    sums = np.array([(item.sum(), (item**2).sum()) for item in shifted]).reshape(-1, 2)
    sizes = np.array([len(item) for item in items], dtype=np.float64)
    return _alpha(sizes, sums, _add_squares, seed)


def _alpha(sizes: Vector, sums: Matrix, disagreement: _Disagreement, seed: int) -> Estimate | None:
    paired = sizes > 1
    sizes, sums = sizes[paired], sums[paired]
    within = disagreement(sizes, sums) / (sizes - 1.0)

    def alpha(weights: Matrix) -> Vector:
        num, total = weights @ sizes, weights @ sums
        observed, possible = weights @ within, disagreement(num, total)
        return 1.0 - divide((num - 1.0) * observed, possible, possible > 0.0)

    return bootstrap(len(sizes), alpha, seed)


def _count_unequal(num: Vector, counts: Matrix) -> Vector:
    equal: Vector = (counts**2).sum(axis=1)
    return num**2 - equal


def _add_squares(num: Vector, sums: Matrix) -> Vector:
    plain, squares = sums.T
    found = 2.0 * (num * squares - plain**2)
    return np.where(is_positive(found, num * squares), found, 0.0)
