"""Bradley-Terry ratings that are finite for every set of comparisons."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit_judge.ratings.game import Game

Matrix = NDArray[np.float64]
_MAX_STEPS = 200
_TOLERANCE = 1e-10
"""Of a rating, in nats."""


@dataclass(frozen=True)
class Fit:
    """`ratings` are log-strengths that sum to 0; `covariance` is Laplace's, at the maximum."""

    ratings: NDArray[np.float64]
    covariance: Matrix


def count_wins(num_items: int, games: Iterable[Game]) -> Matrix:
    """[winner, loser]; a tie is half a win for each."""
    wins = [[0.0] * num_items for _ in range(num_items)]
    for a, b, score_a in games:
        wins[a][b] += score_a
        wins[b][a] += 1.0 - score_a
    return np.array(wins)


def fit_bradley_terry(wins: Matrix, prior: float) -> Fit:
    """argmax over r of sum_ij (wins_ij + prior / 2) log sigmoid(r_i - r_j), in nats.

    `prior` virtual ties between every two items keep the maximum finite and unique on clean
    sweeps, single comparisons and graphs in several parts, where the plain maximum is not.
    Source: Bradley and Terry 1952; virtual comparisons as a prior: Davidson and Solomon 1973.
    """
    num_items = len(wins)
    wins = wins + prior / 2.0 * (1.0 - np.eye(num_items))
    played, won = wins + wins.T, wins.sum(axis=1)
    ratings = np.zeros(num_items)
    for _ in range(_MAX_STEPS):
        gradient, curvature = _derivatives(played, won, ratings)
        step = np.linalg.solve(curvature, gradient)
        reach = float(np.ptp(step))
        if reach < _TOLERANCE:
            break
        # As far as is sure to improve a sum of logistic losses (Sun and Tran-Dinh 2019).
        ratings = ratings + step * float(np.log1p(reach) / reach)
    _, curvature = _derivatives(played, won, ratings)
    covariance = np.linalg.inv(curvature).astype(np.float64)
    return Fit(ratings - ratings.mean(), covariance)


def _derivatives(
    played: Matrix, won: NDArray[np.float64], ratings: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Matrix]:
    """Gradient and negative Hessian; the latter can be inverted since the sum is pinned, too."""
    expected = win_probability(ratings[:, None] - ratings[None, :])
    weights = played * expected * (1.0 - expected)
    curvature = np.diag(weights.sum(axis=1)) - weights + 1.0 / len(ratings)
    return won - (played * expected).sum(axis=1), curvature


def win_probability(difference: Matrix) -> Matrix:
    """sigmoid(difference), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * difference))
