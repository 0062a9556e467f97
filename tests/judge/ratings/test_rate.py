"""Every rating by its rules: nulls, position weights, win rates, intervals."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from plaudit.schemas.judge import Rating, TournamentRules
from plaudit_judge.ratings.bootstrap import bootstrap_intervals
from plaudit_judge.ratings.game import Game
from plaudit_judge.ratings.position_weights import Verdict, weigh_wins
from plaudit_judge.ratings.rate import Judged, rate, reward
from plaudit_judge.ratings.win_rate import win_rates

RATINGS: list[Rating] = ["elo", "bradley_terry", "bt_weighted", "win_rate"]


def won(a: int, b: int, score_a: float = 1.0) -> Judged:
    return Judged(Game(a, b, score_a), (Verdict(a, b, score_a), Verdict(b, a, 1.0 - score_a)))


CHAIN = [won(a, b) for a, b in combinations(range(4), 2)]


@pytest.mark.parametrize("rating", RATINGS)
def test_a_clean_order_is_ranked_right(rating: Rating) -> None:
    ratings = rate(TournamentRules(rating=rating), 4, CHAIN, seed=0)
    assert all(better > worse for better, worse in pairwise(ratings))


@pytest.mark.parametrize("rating", RATINGS)
def test_who_was_not_compared_has_no_rating_and_changes_no_other(rating: Rating) -> None:
    rules = TournamentRules(rating=rating)
    with_others = rate(rules, 6, [won(1, 3), won(3, 4)], seed=0)
    assert [r is None for r in with_others] == [True, False, True, False, False, True]
    assert [r for r in with_others if r is not None] == rate(rules, 3, [won(0, 1), won(1, 2)], 0)


@pytest.mark.parametrize("rating", RATINGS)
def test_without_a_comparison_there_is_no_rating(rating: Rating) -> None:
    assert rate(TournamentRules(rating=rating), 2, [], seed=0) == [None, None]


@pytest.mark.parametrize("rating", RATINGS)
def test_a_cycle_of_order_free_ratings_is_a_tie(rating: Rating) -> None:
    rules = TournamentRules(rating=rating)
    ratings = rate(rules, 3, [won(0, 1), won(1, 2), won(2, 0)], seed=0)
    rewards = reward(rules, ratings)
    assert (rewards == [1.5, 1.5, 1.5]) == (rating != "elo")


def test_win_rates_count_ties_one_half() -> None:
    games = [Game(0, 1, 1.0), Game(0, 2, 0.5), Game(1, 2, 0.0)]
    assert win_rates(4, games) == [0.75, 0.0, 0.75, 0.5]


def test_wins_in_the_position_that_the_judge_likes_weigh_less() -> None:
    """Three wins shown first, one shown second: w1 = 1/4, w2 = 3/4."""
    verdicts = [Verdict(0, 1, 1.0), Verdict(1, 0, 1.0), Verdict(0, 2, 1.0), Verdict(2, 0, 0.0)]
    assert weigh_wins(3, verdicts).tolist() == [[0, 0.25, 1.0], [0.25, 0, 0], [0, 0, 0]]


def test_a_judge_that_always_says_the_same_position_says_nothing() -> None:
    verdicts = [Verdict(0, 1, 1.0), Verdict(1, 2, 1.0), Verdict(0, 2, 1.0)]
    assert not weigh_wins(3, verdicts).any()


def test_ties_are_half_a_win_at_the_mean_weight() -> None:
    assert weigh_wins(2, [Verdict(0, 1, 0.5)]).tolist() == [[0, 0.25], [0.25, 0]]


def test_position_weights_undo_a_biased_judge_in_one_order() -> None:
    """Answer 0 was shown first more often, and only that made it win."""
    firsts = [Judged(Game(0, 1, 1.0), (Verdict(0, 1, 1.0),))] * 6
    seconds = [Judged(Game(1, 0, 1.0), (Verdict(1, 0, 1.0),))] * 3
    plain = rate(TournamentRules(rating="bradley_terry"), 2, firsts + seconds, 0)
    weighted = rate(TournamentRules(rating="bt_weighted"), 2, firsts + seconds, 0)
    assert plain[0] > plain[1]
    assert weighted == [0.0, 0.0]


@pytest.mark.parametrize("rating", RATINGS)
def test_intervals_contain_the_rating_and_shrink_with_more_comparisons(rating: Rating) -> None:
    rules = TournamentRules(rating=rating, elo_iterations=3 if rating == "elo" else 10)
    few = [won(0, 1), won(1, 0), won(0, 1)] * 2
    widths = []
    for judged in (few, few * 10):
        ratings = rate(rules, 2, judged, 0)
        [interval, _] = bootstrap_intervals(rules, 2, judged, 200, seed=1)
        assert interval.low <= ratings[0] <= interval.high
        widths.append(interval.high - interval.low)
    if rating != "elo":  # the last games count most, however many there are
        assert widths[1] < widths[0] / 2


def test_a_win_rates_interval_is_the_binomials() -> None:
    judged = [won(0, 1)] * 60 + [won(1, 0)] * 40
    [interval, _] = bootstrap_intervals(TournamentRules(rating="win_rate"), 2, judged, 1000, seed=3)
    half_width = 1.96 * np.sqrt(0.6 * 0.4 / 100)
    assert interval.low == pytest.approx(0.6 - half_width, abs=0.025)
    assert interval.high == pytest.approx(0.6 + half_width, abs=0.025)


def test_intervals_are_drawn_by_the_seed_and_null_without_comparison() -> None:
    rules = TournamentRules(rating="bradley_terry")
    judged = [won(0, 1), won(1, 0), won(1, 3), won(3, 0)]
    first = bootstrap_intervals(rules, 4, judged, 50, seed=1)
    assert first == bootstrap_intervals(rules, 4, judged, 50, seed=1)
    assert first != bootstrap_intervals(rules, 4, judged, 50, seed=2)
    assert first[2] is None
    assert bootstrap_intervals(rules, 2, [], 50, seed=1) == [None, None]
