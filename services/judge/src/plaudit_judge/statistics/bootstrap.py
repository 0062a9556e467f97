"""Intervals of what has no formula for one: what the statistic is in resamples of the items."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from plaudit.schemas.judge_statistics import Estimate
from plaudit_judge.chance import draw

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Statistic = Callable[[Matrix], Vector]
"""From weights [resample, item], how often each item was drawn; nan where it is not defined."""
NUM_RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)
_MAX_CELLS = 500_000
"""Weights that are kept at once."""


def bootstrap(num_items: int, statistic: Statistic, seed: int) -> Estimate | None:
    """The statistic with its 95 % percentile interval; None where it is not defined.

    Resamples in which it is not defined are left out. Source: Efron 1979.
    """
    value = float(statistic(np.ones((1, num_items)))[0]) if num_items else np.nan
    if np.isnan(value):
        return None
    drawn = np.concatenate([statistic(weights) for weights in _resamples(num_items, seed)])
    defined = drawn[~np.isnan(drawn)]
    if not defined.size:
        return None
    low, high = np.percentile(defined, _PERCENTILES)
    return Estimate(value=value, low=float(low), high=float(high), num_items=num_items)


def _resamples(num_items: int, seed: int) -> Iterator[Matrix]:
    chance = np.random.default_rng(draw(seed, "bootstrap"))
    rows = max(1, _MAX_CELLS // num_items)
    for start in range(0, NUM_RESAMPLES, rows):
        num_rows = min(rows, NUM_RESAMPLES - start)
        picks = chance.integers(num_items, size=(num_rows, num_items))
        cells = picks + num_items * np.arange(num_rows)[:, None]
        counts = np.bincount(cells.ravel(), minlength=num_rows * num_items)
        yield counts.reshape(num_rows, num_items).astype(np.float64)


def is_positive(amount: Vector, scale: Vector) -> NDArray[np.bool_]:
    """Not just what rounding left of `scale`."""
    return amount > 1e-12 * scale


def divide(numerator: Vector, denominator: Vector, defined: NDArray[np.bool_]) -> Vector:
    """nan where it is not defined."""
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)
