"""Rewards from ratings: the range, the middle, and nobody's reward made up."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit_judge.ratings.rewards import min_max_rewards, rank_rewards, z_score_rewards

ratings_of_groups = st.lists(st.none() | st.floats(-1e4, 1e4), min_size=1, max_size=16)


def test_rewards_span_the_range() -> None:
    rewards = min_max_rewards([10.0, -10.0, 0.0], 0.0, 3.0)
    assert rewards == [3.0, 0.0, 1.5]


def test_equal_ratings_get_the_middle() -> None:
    assert min_max_rewards([5.0, 5.0 + 9e-7], 0.0, 3.0) == [1.5, 1.5]
    assert min_max_rewards([5.0, 5.0 + 2e-6], 0.0, 3.0) == [0.0, 3.0]


def test_an_item_without_a_comparison_has_no_reward_and_does_not_shift_the_others() -> None:
    assert min_max_rewards([-5.0, None, -1.0], 0.0, 1.0) == [0.0, None, 1.0]


def test_without_any_comparison_nobody_has_a_reward() -> None:
    assert min_max_rewards([None, None], 0.0, 3.0) == [None, None]


def test_z_scores_have_mean_zero_and_deviation_one() -> None:
    assert z_score_rewards([1.0, None, 3.0]) == [-1.0, None, 1.0]
    assert z_score_rewards([1.0, 2.0, 6.0]) == pytest.approx([-0.9258, -0.4629, 1.3887], abs=1e-4)


def test_z_scores_of_equal_ratings_are_zero() -> None:
    assert z_score_rewards([2.0, None, 2.0 + 9e-7]) == [0.0, None, 0.0]
    assert z_score_rewards([None]) == [None]


def test_ranks_are_spaced_evenly_and_ties_share_the_mean_rank() -> None:
    assert rank_rewards([9.0, -7.0, 0.0, 8.9], 0.0, 3.0) == [3.0, 0.0, 1.0, 2.0]
    assert rank_rewards([5.0, 1.0, None, 5.0], -1.0, 1.0) == [0.5, -1.0, None, 0.5]
    assert rank_rewards([4.0, 4.0, 4.0], 0.0, 3.0) == [1.5] * 3
    assert rank_rewards([None, None], 0.0, 3.0) == [None, None]


@given(ratings_of_groups, st.sampled_from(["min_max", "z_score", "rank"]))
def test_rewards_keep_the_order_and_the_nulls(ratings: list[float | None], form: str) -> None:
    rewards = {
        "min_max": lambda: min_max_rewards(ratings, -1.0, 2.0),
        "z_score": lambda: z_score_rewards(ratings),
        "rank": lambda: rank_rewards(ratings, -1.0, 2.0),
    }[form]()
    assert [r is None for r in rewards] == [r is None for r in ratings]
    known = sorted((a, b) for a, b in zip(ratings, rewards, strict=True) if a is not None)
    for (_, lower), (_, higher) in pairwise(known):
        assert lower <= higher + 1e-9
    if form != "z_score":
        assert all(-1.0 <= reward <= 2.0 for _, reward in known)
