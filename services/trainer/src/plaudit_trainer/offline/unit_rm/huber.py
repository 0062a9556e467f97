"""Huber regression: a line that far-off points hardly move. The published fit's HuberRegressor."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
EPSILON = 1.35
MAX_ITERATIONS = 1000
_MIN_SCALE = 1e-12


class Line(NamedTuple):
    slope: float
    intercept: float
    r2: float
    """Share of the variance that it explains, of all points alike."""


def huber_line(x: Vector, y: Vector) -> Line:
    """Two points or more, not all at one x."""
    from sklearn.linear_model import HuberRegressor

    slope, intercept = np.polyfit(x, y, 1)
    scale = float(np.std(y - slope * x - intercept))
    # Points on a line leave the regressor no scale to find.
    if scale > _MIN_SCALE * max(1.0, float(np.abs(y).max())):
        found = HuberRegressor(epsilon=EPSILON, max_iter=MAX_ITERATIONS).fit(x.reshape(-1, 1), y)
        slope, intercept = found.coef_[0], found.intercept_
    return Line(float(slope), float(intercept), _r2(y, slope * x + intercept))


def _r2(y: Vector, fitted: Vector) -> float:
    """1 where all y are equal and met."""
    total, rest = float(((y - y.mean()) ** 2).sum()), float(((y - fitted) ** 2).sum())
    if total == 0.0:
        return 1.0 if rest == 0.0 else 0.0
    return 1.0 - rest / total
