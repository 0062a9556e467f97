"""POST /v1/statistics: what is counted, and what is not."""

from typing import Any

import pytest

from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_statistics import JudgedPair, StatisticsResponse
from plaudit_judge.statistics.pairs import measure_pairs


def measure(*pairs: JudgedPair) -> StatisticsResponse:
    return measure_pairs(pairs, seed=0)


def pair(winner: Winner | None, more: int | None = None, **fields: Any) -> JudgedPair:
    """`more`: how much longer a is."""
    lengths = {} if more is None else {"num_chars_a": 1000 + more, "num_chars_b": 1000}
    return JudgedPair(winner=winner, **lengths, **fields)


def test_pairs_that_say_nothing_have_no_statistics() -> None:
    found = measure(pair(None), pair(None, more=3, correct_a=True, correct_b=False))
    assert (found.num_pairs, found.num_votes) == (2, 0)
    assert set(found.model_dump(exclude={"num_pairs", "num_votes"}).values()) == {None}


def test_a_tie_is_half_a_win_and_silence_is_none() -> None:
    found = measure(pair("a"), pair("a"), pair("tie"), pair("b"), pair(None))
    assert (found.win_rate.value, found.win_rate.num_items) == (0.625, 4)
    assert (found.tie_rate.value, found.tie_rate.num_items) == (0.25, 4)


def test_a_judge_that_likes_length_shows_it() -> None:
    found = measure(*(pair("a", more=more) for more in range(1, 30)), pair("b", more=-5))
    assert found.length_correlation.value == pytest.approx(0.3111, abs=1e-4)
    assert found.length_correlation.low > 0.0
    assert found.length_controlled_win_rate.value < found.win_rate.value


def test_pairs_without_lengths_are_left_out_of_what_needs_them() -> None:
    found = measure(pair("a", more=5), pair("b", more=-3), pair("a"), pair(None, more=2))
    assert (found.length_correlation.value, found.length_correlation.num_items) == (1.0, 2)
    assert found.length_controlled_win_rate.num_items == 2


def test_agreement_is_of_pairs_with_one_correct_answer() -> None:
    found = measure(
        pair("a", correct_a=True, correct_b=False),
        pair("b", correct_a=False, correct_b=True),
        pair("b", correct_a=True, correct_b=False),
        pair("tie", correct_a=False, correct_b=True),
        pair("a", correct_a=True, correct_b=True),
        pair("a", correct_a=False, correct_b=False),
        pair("a", correct_a=True),
        pair(None, correct_a=True, correct_b=False),
    )
    assert found.correctness_agreement.value == 0.5
    assert found.correctness_agreement.num_items == 4
