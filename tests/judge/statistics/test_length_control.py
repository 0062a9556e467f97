"""The length-controlled win rate: scikit-learn's fit, separable data, judges that like length."""

import numpy as np
import pytest

from plaudit_judge.statistics.bootstrap import Vector
from plaudit_judge.statistics.length_control import length_controlled_win_rate


def verdicts(quality: float, taste: float, mean_difference: float) -> tuple[Vector, Vector]:
    """Of a judge whose log-odds are `quality` and, by length, up to `taste` more."""
    chance = np.random.default_rng(7)
    differences = chance.normal(mean_difference, 400.0, 2000).round()
    odds = quality + taste * np.tanh(differences / 400.0)
    points = (chance.random(2000) < 1.0 / (1.0 + np.exp(-odds))).astype(np.float64)
    return points, differences


def test_the_fit_is_scikit_learns() -> None:
    """LogisticRegression(C=2.5**2, fit_intercept=False) of scikit-learn 1.9.1 on the constant and
    the tanh, a tie as half a win and half a loss: coefficients 0.31648741 and 1.61554438."""
    points = np.array([1, 0, 0.5, 1, 1, 0, 1, 0.5, 0, 1])
    differences = np.array([120, -40, 10, 300, -15, -220, 80, 0, 35, -60.0])
    found = length_controlled_win_rate(points, differences)
    assert found.value == pytest.approx(0.57846797, abs=1e-8)
    assert found.num_items == 10


def test_a_wordy_equal_wins_by_its_length_alone() -> None:
    points, differences = verdicts(quality=0.0, taste=2.0, mean_difference=300.0)
    found = length_controlled_win_rate(points, differences)
    assert points.mean() > 0.65
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.08


def test_without_a_taste_for_length_it_is_the_win_rate() -> None:
    points, differences = verdicts(quality=1.0, taste=0.0, mean_difference=0.0)
    found = length_controlled_win_rate(points, differences)
    assert found.value == pytest.approx(points.mean(), abs=0.01)


@pytest.mark.parametrize("points", [np.ones(40), (np.arange(40) >= 20).astype(np.float64)])
def test_data_that_separate_stay_finite(points: Vector) -> None:
    found = length_controlled_win_rate(points, np.arange(40.0) - 19.5)
    assert 0.0 < found.low < found.value < found.high < 1.0


def test_differences_far_from_zero_do_no_harm() -> None:
    """tanh is 1 for all: length cannot be told from quality, and the interval says so."""
    found = length_controlled_win_rate(np.ones(500), 1e9 + np.arange(500.0))
    assert found.high - found.low > 0.4


@pytest.mark.parametrize("differences", [np.zeros(5), np.full(5, 30.0), np.array([])])
def test_lengths_that_do_not_differ_control_nothing(differences: Vector) -> None:
    assert length_controlled_win_rate(np.ones(len(differences)), differences) is None
