"""Huber regression (Huber & Ronchetti 2009, p. 172): a line that far-off points hardly move.

Slope, intercept and scale are found together, as scikit-learn's HuberRegressor does with the same
`alpha`: least sum of scale + H((y - w x - b) / scale) * scale, plus alpha w^2, H(z) being z^2 up
to |z| = epsilon and 2 epsilon |z| - epsilon^2 beyond.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]

Vector = NDArray[np.float64]
EPSILON = 1.35
ALPHA = 1e-4
_MIN_SCALE = 1e-12


class Line(NamedTuple):
    slope: float
    intercept: float
    r2: float
    """Share of the variance that it explains, of all points alike."""


def huber_line(x: Vector, y: Vector) -> Line:
    """Two points or more, not all at one x."""
    slope, intercept = np.polyfit(x, y, 1)
    scale = float(np.std(y - slope * x - intercept))
    if scale > _MIN_SCALE * max(1.0, float(np.abs(y).max())):
        start = np.array([slope, intercept, scale])
        bounds = [(None, None), (None, None), (_MIN_SCALE, None)]
        found = minimize(
            _objective, start, (x, y), jac=True, bounds=bounds, method="L-BFGS-B",
            options={"maxiter": 1000, "gtol": 1e-8, "ftol": 1e-14},
        )  # fmt: skip
        slope, intercept, _ = found.x
    return Line(float(slope), float(intercept), _r2(y, slope * x + intercept))


def _objective(at: Vector, x: Vector, y: Vector) -> tuple[float, Vector]:
    """Value and gradient."""
    slope, intercept, scale = at
    rest = y - slope * x - intercept
    far = np.abs(rest) > EPSILON * scale
    near = rest[~far]
    value = (
        len(y) * scale
        + near @ near / scale
        + 2 * EPSILON * np.abs(rest[far]).sum()
        - scale * far.sum() * EPSILON**2
        + ALPHA * slope**2
    )
    pull = np.where(far, -2 * EPSILON * np.sign(rest), -2 * rest / scale)
    of_scale = len(y) - near @ near / scale**2 - far.sum() * EPSILON**2
    return value, np.array([pull @ x + 2 * ALPHA * slope, pull.sum(), of_scale])


def _r2(y: Vector, fitted: Vector) -> float:
    """1 where all y are equal and met."""
    total, rest = float(((y - y.mean()) ** 2).sum()), float(((y - fitted) ** 2).sum())
    if total == 0.0:
        return 1.0 if rest == 0.0 else 0.0
    return 1.0 - rest / total
