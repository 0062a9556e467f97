"""Pearson's and Spearman's: scipy's values, and intervals that hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from plaudit_judge.statistics.bootstrap import Vector
from plaudit_judge.statistics.correlation import pearson, spearman

NUMBERS = st.lists(st.integers(-4, 4), min_size=3, max_size=20)


@settings(deadline=None, max_examples=25)
@given(NUMBERS, NUMBERS)
def test_they_are_scipys_also_with_equal_values(first: list[int], second: list[int]) -> None:
    num = min(len(first), len(second))
    x, y = np.array(first[:num], dtype=np.float64), np.array(second[:num], dtype=np.float64)
    found = pearson(x, y, seed=0), spearman(x, y, seed=0)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found == (None, None)
    else:
        assert found[0].value == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
        assert found[1].value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_a_resample_is_ranked_anew() -> None:
    """scipy on each of the drawn samples gives the same interval."""
    chance = np.random.default_rng(5)
    x = chance.integers(0, 5, 40).astype(np.float64)
    y = x + chance.integers(0, 5, 40)
    found = spearman(x, y, seed=0)
    picks = chance.integers(40, size=(1000, 40))
    drawn = [stats.spearmanr(x[pick], y[pick]).statistic for pick in picks]
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))


@pytest.mark.parametrize("shift", [0.0, 1e9, -1e6])
def test_digits_are_not_lost_far_from_zero(shift: float) -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert pearson(x + shift, x[[0, 2, 1, 3]], seed=0).value == pytest.approx(0.8)


@pytest.mark.parametrize("x", [np.full(9, 0.1), np.full(9, 1e9 + 0.1), np.array([])])
def test_what_does_not_vary_has_none(x: Vector) -> None:
    y = np.arange(len(x), dtype=np.float64)
    assert pearson(x, y, seed=0) is None
    assert spearman(x, y, seed=0) is None
