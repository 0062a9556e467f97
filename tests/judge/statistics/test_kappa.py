"""Cohen's kappa: published tables, and what has none."""

import pytest

from plaudit_judge.statistics.kappa import cohen_kappa


def classes_of(table: list[list[int]]) -> tuple[list[int], list[int]]:
    cells = [(a, b) for a, row in enumerate(table) for b, num in enumerate(row) for _ in range(num)]
    return [a for a, _ in cells], [b for _, b in cells]


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676),
        ([[5, 0], [0, 7]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
        ([[4, 4], [4, 4]], 0.0),
    ],
)
def test_kappa_is_the_published_one(table: list[list[int]], kappa: float) -> None:
    """The first is the textbook's, the second Fleiss, Levin and Paik 2003, table 18.1."""
    found = cohen_kappa(*classes_of(table), len(table), seed=0)
    assert found.value == pytest.approx(kappa, abs=5e-4)
    assert found.low <= found.value <= found.high


def test_the_interval_is_about_that_of_the_standard_error() -> None:
    """Fleiss, Levin and Paik: the standard error of the second table is 0.088."""
    found = cohen_kappa(*classes_of([[75, 1, 4], [5, 4, 1], [0, 0, 10]]), 3, seed=0)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.088, rel=0.1)


@pytest.mark.parametrize("classes", [[], [1], [2, 2, 2]])
def test_one_class_has_no_kappa(classes: list[int]) -> None:
    assert cohen_kappa(classes, classes, 3, seed=0) is None


def test_a_class_that_nobody_named_changes_nothing() -> None:
    first, second = classes_of([[20, 5], [10, 15]])
    assert cohen_kappa(first, second, 2, seed=0) == cohen_kappa(first, second, 5, seed=0)
