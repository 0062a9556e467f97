"""How often a would win if it were no longer than b."""

import numpy as np

from plaudit.schemas.judge_statistics import Estimate
from plaudit_judge.ratings.bradley_terry import win_probability
from plaudit_judge.statistics.bootstrap import Matrix, Vector
from plaudit_judge.statistics.rates import Z_95

_PRIOR_DEVIATION = 2.5
"""Of both coefficients, in logits: weak, as in rstanarm, and enough for data that separate."""
_MAX_STEPS = 200
_TOLERANCE = 1e-10


def length_controlled_win_rate(points: Vector, differences: Vector) -> Estimate | None:
    """sigmoid(c) of the fit P(a wins) = sigmoid(c + w tanh(d / standard deviation of d)).

    `points` of a: 1, 1/2 for a tie, 0; d: its additional characters. None when d does not vary.
    The interval is Laplace's, on the scale of c. Source: AlpacaEval 2 (arXiv 2404.04475), of which
    the term for the difficulty of the instruction is left out.
    """
    if len(set(differences)) < 2:
        return None
    features = np.tanh(differences / np.std(differences, ddof=1))
    coefficients, covariance = _fit(np.column_stack([np.ones_like(features), features]), points)
    half = Z_95 * np.sqrt(covariance[0, 0])
    low, value, high = win_probability(coefficients[0] + half * np.array([-1.0, 0.0, 1.0]))
    return Estimate(value=value, low=low, high=high, num_items=len(points))


def _fit(features: Matrix, points: Vector) -> tuple[Vector, Matrix]:
    """Logistic regression with a Gaussian prior: the maximum, and Laplace's covariance there."""
    prior = np.eye(features.shape[1]) / _PRIOR_DEVIATION**2
    coefficients = np.zeros(features.shape[1])
    for _ in range(_MAX_STEPS):
        expected = win_probability(features @ coefficients)
        gradient = features.T @ (points - expected) - prior @ coefficients
        weights = expected * (1.0 - expected)
        curvature = (features * weights[:, None]).T @ features + prior
        covariance = np.linalg.inv(curvature).astype(np.float64)
        step = covariance @ gradient
        # No feature is over 1, so that no logit moves further than this.
        reach = float(np.abs(step).sum())
        if reach < _TOLERANCE:
            break
        # As far as is sure to improve a sum of logistic losses (Sun and Tran-Dinh 2019).
        coefficients = coefficients + step * (np.log1p(reach) / reach)
    return coefficients, covariance
