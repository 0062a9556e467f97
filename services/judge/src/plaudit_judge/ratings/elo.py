"""Elo ratings. Source: algorithms.md 2.4 (SR-R1)."""

import math
import random
from collections.abc import Sequence
from typing import Literal

from plaudit_judge.chance import draw
from plaudit_judge.ratings.game import Game

Order = Literal["sequential", "shuffled", "batch"]
_SCALE = 400.0 / math.log(10.0)


def run_elo(
    num_items: int,
    games: Sequence[Game],
    *,
    iterations: int = 10,
    k_factor: float = 16.0,
    order: Order = "sequential",
    seed: int = 0,
) -> list[float]:
    """Elo ratings that start at 0 and sum to 0.

    sequential: every pass goes through `games` as given (the order has an effect).
    shuffled: every pass in an order of its own, drawn by `seed`.
    batch: the changes of a pass are applied together, so the order of `games` has no effect.
    """
    if order == "batch":
        return _run_batch(num_items, games, iterations, k_factor)
    ratings = [0.0] * num_items
    shuffler = random.Random(draw(seed, "elo"))
    games = list(games)
    for _ in range(iterations):
        if order == "shuffled":
            shuffler.shuffle(games)
        for a, b, score_a in games:
            change = k_factor * (score_a - _expected(ratings[a], ratings[b]))
            ratings[a] += change
            ratings[b] -= change
    return ratings


def _run_batch(
    num_items: int, games: Sequence[Game], iterations: int, k_factor: float
) -> list[float]:
    ratings = [0.0] * num_items
    for _ in range(iterations):
        changes: list[list[float]] = [[] for _ in range(num_items)]
        for a, b, score_a in games:
            change = k_factor * (score_a - _expected(ratings[a], ratings[b]))
            changes[a].append(change)
            changes[b].append(-change)
        # fsum rounds once, so not even the last bit depends on the order of the games.
        ratings = [r + math.fsum(c) for r, c in zip(ratings, changes, strict=True)]
    return ratings


def _expected(rating_a: float, rating_b: float) -> float:
    """1 / (1 + 10^((b - a) / 400))."""
    try:
        return 1.0 / (1.0 + math.exp((rating_b - rating_a) / _SCALE))
    except OverflowError:
        return 0.0
