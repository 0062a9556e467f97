"""Intervals by resampling."""

import numpy as np
import pytest

from plaudit_judge.statistics import bootstrap as module
from plaudit_judge.statistics.bootstrap import Matrix, Vector, bootstrap


def mean_of(values: Vector) -> module.Statistic:
    return lambda weights: (weights @ values) / weights.sum(axis=1)


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=400)
    found = bootstrap(len(values), mean_of(values), seed=0)
    half = 1.96 * values.std() / 20.0
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_resamples_are_a_function_of_the_seed() -> None:
    statistic = mean_of(np.arange(30.0))
    assert bootstrap(30, statistic, seed=3) == bootstrap(30, statistic, seed=3)
    assert bootstrap(30, statistic, seed=3) != bootstrap(30, statistic, seed=4)


def test_each_resample_draws_as_many_items_as_there_are() -> None:
    seen: list[Matrix] = []

    def look(weights: Matrix) -> Vector:
        seen.append(weights)
        return weights[:, 0]

    bootstrap(7, look, seed=0)
    drawn = np.concatenate(seen[1:])
    assert drawn.shape == (module.NUM_RESAMPLES, 7)
    assert set(drawn.sum(axis=1)) == {7.0}
    assert drawn.std() > 0.5


def test_many_items_are_resampled_in_pieces_and_none_is_lost() -> None:
    sizes: list[int] = []

    def look(weights: Matrix) -> Vector:
        sizes.append(len(weights))
        return weights[:, 0]

    bootstrap(3_000, look, seed=0)
    assert sum(sizes[1:]) == module.NUM_RESAMPLES
    assert max(sizes) * 3_000 <= 500_000


def test_what_is_not_defined_is_none() -> None:
    assert bootstrap(5, lambda weights: np.full(len(weights), np.nan), seed=0) is None
    assert bootstrap(0, lambda weights: weights[:, 0], seed=0) is None


def test_resamples_in_which_it_is_not_defined_are_left_out() -> None:
    """Here: those without the first item."""
    found = bootstrap(2, lambda weights: np.where(weights[:, 0] > 0, weights[:, 0], np.nan), seed=0)
    assert (found.low, found.high) == (1.0, 2.0)
