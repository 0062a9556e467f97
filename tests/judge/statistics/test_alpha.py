"""Krippendorff's alpha: his own example, another widely printed one, and what has none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_judge.statistics.alpha import interval_alpha, nominal_alpha
from plaudit_judge.statistics.bootstrap import Matrix

KRIPPENDORFF_2011 = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
THREE_CODERS = """
. . . . . 3 4 1 2 1 1 3 3 . 3
1 . 2 1 3 3 4 3 . . . . . . .
. . 2 1 3 4 4 . 2 1 1 3 3 . 4
"""


def items_of(table: str) -> list[list[float]]:
    rows = [line.split() for line in table.split("\n") if line]
    return [
        [float(value) for value in column if value != "."] for column in zip(*rows, strict=True)
    ]


def counts_of(items: list[list[float]]) -> Matrix:
    classes = sorted({value for item in items for value in item})
    counts = [[item.count(value) for value in classes] for item in items]
    return np.array(counts, dtype=np.float64).reshape(len(items), len(classes))


@pytest.mark.parametrize(
    ("table", "nominal", "interval", "num_paired"),
    [(KRIPPENDORFF_2011, 0.743, 0.849, 11), (THREE_CODERS, 0.691, 0.811, 12)],
)
def test_alpha_is_the_published_one(
    table: str, nominal: float, interval: float, num_paired: int
) -> None:
    items = items_of(table)
    by_class, by_number = nominal_alpha(counts_of(items), seed=0), interval_alpha(items, seed=0)
    assert by_class.value == pytest.approx(nominal, abs=5e-4)
    assert by_number.value == pytest.approx(interval, abs=5e-4)
    assert by_class.num_items == by_number.num_items == num_paired
    assert by_class.low < by_class.value < by_class.high <= 1.0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), max_size=4), max_size=12))
def test_of_two_classes_both_alphas_are_one(items: list[list[float]]) -> None:
    by_class = nominal_alpha(counts_of(items), seed=0)
    by_number = interval_alpha(items, seed=0)
    assert (by_class is None) == (by_number is None)
    if by_class:
        assert by_class.value == pytest.approx(by_number.value)


def test_agreement_in_all_is_one_and_systematic_disagreement_below_zero() -> None:
    assert interval_alpha([[1.0, 1.0], [2.0, 2.0]], seed=0).value == 1.0
    assert interval_alpha([[1.0, 2.0], [2.0, 1.0]], seed=0).value == pytest.approx(-0.5)


@pytest.mark.parametrize("shift", [1e9, -1e6])
def test_digits_are_not_lost_far_from_zero(shift: float) -> None:
    items = [[value + shift for value in item] for item in items_of(THREE_CODERS)]
    assert interval_alpha(items, seed=0).value == pytest.approx(0.8108449, abs=1e-6)


@pytest.mark.parametrize("items", [[], [[1.0], [2.0]], [[0.1, 0.1], [0.1] * 3]])
def test_values_that_never_meet_or_never_differ_have_none(items: list[list[float]]) -> None:
    assert interval_alpha(items, seed=0) is None
    assert nominal_alpha(counts_of(items), seed=0) is None
