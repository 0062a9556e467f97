"""Pearson's and Spearman's: scipy's values, and intervals that hold the truth."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from plaudit_judge.statistics.bootstrap import Vector
from plaudit_judge.statistics.correlation import Ranks, correlate, pearson, spearman

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


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(*[st.integers(-4, 4)] * 2, st.integers(0, 3)), min_size=3, max_size=20))
def test_an_item_counts_as_often_as_it_was_drawn(items: list[tuple[int, int, int]]) -> None:
    """In a resample: scipy's value of the items written out, ranked anew."""
    x, y, weights = np.array(items, dtype=np.float64).T
    drawn_x, drawn_y = (np.repeat(values, weights.astype(int)) for values in (x, y))
    assume(len(set(drawn_x)) > 1 and len(set(drawn_y)) > 1)
    rows = np.stack([weights, 2.0 * weights])
    plain = stats.pearsonr(drawn_x, drawn_y).statistic
    assert correlate(rows, x, y) == pytest.approx([plain] * 2, abs=1e-12)
    ranked = stats.spearmanr(drawn_x, drawn_y).statistic
    found = correlate(rows, Ranks(x)(rows), Ranks(y)(rows))
    assert found == pytest.approx([ranked] * 2, abs=1e-12)


def test_a_resample_without_variation_has_none() -> None:
    """Also where rounding leaves some: 0.1 + 0.1 + 0.1 is not 0.3."""
    x = np.array([0.1, 0.1, 0.1, 5.0])
    found = correlate(np.array([[1.0, 1.0, 1.0, 0.0]]), x - 0.7, np.arange(4.0))
    assert np.isnan(found).all()


@pytest.mark.parametrize("shift", [0.0, 1e9, -1e6])
def test_digits_are_not_lost_far_from_zero(shift: float) -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert pearson(x + shift, x[[0, 2, 1, 3]], seed=0).value == pytest.approx(0.8)


@pytest.mark.parametrize("x", [np.full(9, 0.1), np.full(9, 1e9 + 0.1), np.array([])])
def test_what_does_not_vary_has_none(x: Vector) -> None:
    y = np.arange(len(x), dtype=np.float64)
    assert pearson(x, y, seed=0) is None
    assert spearman(x, y, seed=0) is None
