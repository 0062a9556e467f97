"""Ask next what would tell most about the goal, and stop when it is settled.

Each comparison is one call in one order; a pair is asked at most twice, once in each order. After a
first ring that has every item in two comparisons, the results so far give a Gaussian posterior of
the Bradley-Terry ratings (Laplace's approximation). Comparisons of a round are picked one by one;
the covariance shrinks as if the earlier picks were known, so that a round does not ask the same
thing many times.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plaudit.schemas.judge import Goal
from plaudit_judge.chance import draw
from plaudit_judge.ratings.bradley_terry import (
    Fit,
    Matrix,
    count_wins,
    fit_bradley_terry,
    win_probability,
)
from plaudit_judge.ratings.game import Game
from plaudit_judge.schedules.pairs import all_pairs, ring_pairs
from plaudit_judge.schedules.schedule import Match

Vector = NDArray[np.float64]
_PRIOR = 0.1
"""Virtual ties per pair. Few: with many, items that only met their equals look average."""
_MAX_ASKED = 2
_MAX_LOOKS = 32
"""Per round at all candidates. A group of 64 takes several at a look, as each costs 20 ms."""
_erfc = np.frompyfunc(math.erfc, 1, 1)


class Adaptive:
    def __init__(
        self,
        num_items: int,
        *,
        goal: Goal,
        confidence: float,
        max_comparisons: int,
        num_rounds: int,
        seed: int,
    ) -> None:
        self._num_items = num_items
        self._goal = goal
        self._max_error = 1.0 - confidence
        self._left = max_comparisons
        self._rounds_left = num_rounds
        self._seed = seed
        self._pairs = all_pairs(num_items)
        self._contrasts = _contrasts(num_items)
        self._asked = np.zeros(len(self._pairs), dtype=np.int64)
        self._shown_first: list[int | None] = [None] * len(self._pairs)
        self._lead = [0] * num_items
        """How much more often an item was shown first than second."""

    def next_round(self, games: Sequence[Game]) -> list[Match]:
        if self._rounds_left <= 0 or self._left <= 0:
            return []
        picks = self._pick(games) if self._asked.any() else self._open()
        self._left -= len(picks)
        self._rounds_left -= 1
        return [self._match(pick) for pick in picks]

    def _open(self) -> list[int]:
        numbers = {pair: number for number, pair in enumerate(self._pairs)}
        picks = [numbers[pair] for pair in ring_pairs(self._num_items, self._seed)][: self._left]
        for pick in picks:
            self._asked[pick] += 1
        return picks

    def _pick(self, games: Sequence[Game]) -> list[int]:
        fit = fit_bradley_terry(count_wins(self._num_items, games), _PRIOR)
        goal = goal_contrasts(self._goal, fit.ratings)
        if self._is_settled(uncertainty(goal, fit.ratings, fit.covariance)):
            return []
        return self._pick_one_by_one(goal, fit, math.ceil(self._left / self._rounds_left))

    def _is_settled(self, doubts: Vector) -> bool:
        """top: beyond the closest rival. Others: the expected share of signs that are right."""
        doubt = doubts.max() if self._goal == "top" else doubts.mean()
        return bool(doubt <= self._max_error)

    def _pick_one_by_one(self, goal: Matrix, fit: Fit, wanted: int) -> list[int]:
        picks: list[int] = []
        covariance = fit.covariance
        while len(picks) < wanted:
            gains = information(self._contrasts, goal, fit.ratings, covariance)
            gains[self._asked >= _MAX_ASKED] = -1.0
            best = np.argsort(-gains, kind="stable")[: math.ceil(wanted / _MAX_LOOKS)]
            chosen = [int(pick) for pick in best if gains[pick] >= 0.0]
            if not chosen:
                break
            for pick in chosen[: wanted - len(picks)]:
                self._asked[pick] += 1
                picks.append(pick)
                covariance = _after(self._contrasts[pick], fit.ratings, covariance)
        return picks

    def _match(self, pick: int) -> Match:
        """The second time in the other order; the first time whoever was first less often is."""
        a, b = self._pairs[pick]
        if self._shown_first[pick] is not None:
            swapped = self._shown_first[pick] == a
        elif self._lead[a] != self._lead[b]:
            swapped = self._lead[a] > self._lead[b]
        else:
            swapped = bool(draw(self._seed, "order", a, b) & 1)
        first, second = (b, a) if swapped else (a, b)
        self._shown_first[pick] = first
        self._lead[first] += 1
        self._lead[second] -= 1
        return Match(a, b, swapped)


def goal_contrasts(goal: Goal, ratings: Vector) -> Matrix:
    """Rows c such that the goal is settled when the sign of every c . ratings is.

    order: every two items. top: the best against each other one. advantage_sign: every item
    against the mean of the group.
    """
    num_items = len(ratings)
    if goal == "order":
        return _contrasts(num_items)
    if goal == "top":
        best = int(np.argmax(ratings))
        rows: Matrix = np.eye(num_items)[best] - np.eye(num_items)
        return np.delete(rows, best, axis=0)
    return np.eye(num_items) - 1.0 / num_items


def uncertainty(goal: Matrix, ratings: Vector, covariance: Matrix) -> Vector:
    """P(the sign of each contrast is not what it looks like), at most one half."""
    variances = np.einsum("ci,ij,cj->c", goal, covariance, goal)
    z_scores = np.abs(goal @ ratings) / np.sqrt(variances)
    result: Vector = (0.5 * _erfc(z_scores / math.sqrt(2.0))).astype(np.float64)
    return result


def information(pairs: Matrix, goal: Matrix, ratings: Vector, covariance: Matrix) -> Vector:
    """The information that each comparison is expected to give about the signs of the goal.

    A comparison with win probability p has Fisher information w = p (1 - p). It lowers the variance
    v of a contrast by r = cov^2 w / (1 + w u), u the variance of the pair's difference: r / 2v nats
    about the contrast, to first order. Each contrast counts exp(-m^2 / 2v), the posterior density
    at 0 beside its peak, since of one whose sign is settled nothing more need be known. The sum of
    exp(-m^2 / 2v) r / v; a heuristic, judged by benchmarks/tournaments.py.
    """
    pair_covariance = pairs @ covariance
    pair_variances = np.einsum("pi,pi->p", pair_covariance, pairs)
    chances = win_probability(pairs @ ratings)
    weights = chances * (1.0 - chances)
    weights /= 1.0 + weights * pair_variances
    goal_variances = np.einsum("ci,ij,cj->c", goal, covariance, goal)
    doubt = np.exp(-((goal @ ratings) ** 2) / (2.0 * goal_variances)) / goal_variances
    gains: Vector = weights * (((pair_covariance @ goal.T) ** 2) @ doubt)
    return gains


def _after(contrast: Vector, ratings: Vector, covariance: Matrix) -> Matrix:
    """The covariance once this comparison is known, whatever its outcome."""
    chance = float(win_probability(contrast @ ratings))
    weight = chance * (1.0 - chance)
    column = covariance @ contrast
    shrunk: Matrix = covariance - np.outer(column, column) * (
        weight / (1.0 + weight * float(contrast @ column))
    )
    return shrunk


def _contrasts(num_items: int) -> Matrix:
    """One row for each pair (a, b): 1 at a, -1 at b."""
    firsts, seconds = np.triu_indices(num_items, 1)
    identity = np.eye(num_items)
    rows: Matrix = identity[firsts] - identity[seconds]
    return rows
