"""Shares with Wilson's interval."""

import pytest

from plaudit_judge.statistics.rates import rate, share, share_of_votes


@pytest.mark.parametrize(
    ("set_flags", "num", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_newcombe_1998(
    set_flags: int, num: int, low: float, high: float
) -> None:
    """Two-sided confidence intervals for the single proportion, table I, method 3."""
    found = share([True] * set_flags + [False] * (num - set_flags))
    assert (found.value, found.num_items) == (set_flags / num, num)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_a_share_of_nothing_is_none() -> None:
    assert share([]) is None
    assert share_of_votes([[], []]) is None


def test_certainty_is_never_claimed() -> None:
    assert share([True] * 10).high == 1.0
    assert share([True] * 10).low == pytest.approx(0.7224672)
    assert share([False]).high < 1.0


@pytest.mark.parametrize("num", range(1, 40))
def test_the_interval_holds_the_share_and_no_impossible_one(num: int) -> None:
    for found in (share([False] * num), share([True] * num), rate(0.5, num, num)):
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_points_may_be_halves() -> None:
    assert rate(1.5, 2, 2).value == 0.75


def test_votes_of_one_item_do_not_make_it_surer() -> None:
    once = share_of_votes([[True], [False], [True]])
    often = share_of_votes([[True] * 8, [False] * 8, [True] * 8])
    assert often == once


def test_items_without_votes_do_not_count() -> None:
    assert share_of_votes([[True], [], [False, False]]) == rate(1, 3, 2)
