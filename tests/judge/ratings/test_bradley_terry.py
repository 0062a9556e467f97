"""Bradley-Terry: an independent library, properties, and the cases where the plain fit is none."""

import random
from itertools import combinations

import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_judge.ratings.bradley_terry import count_wins, fit_bradley_terry
from plaudit_judge.ratings.game import Game

SWEEP = [Game(a, b, 1.0) for a, b in combinations(range(4), 2)]


@st.composite
def leagues(draw: st.DrawFn) -> tuple[int, list[Game]]:
    num_items = draw(st.integers(2, 16))
    items = st.integers(0, num_items - 1)
    pairs = draw(st.lists(st.tuples(items, items).filter(lambda p: p[0] != p[1]), max_size=60))
    return num_items, [Game(a, b, draw(st.sampled_from([0.0, 0.5, 1.0]))) for a, b in pairs]


def ratings_of(num_items: int, games: list[Game], prior: float = 0.5) -> list[float]:
    return [float(r) for r in fit_bradley_terry(count_wins(num_items, games), prior).ratings]


@settings(deadline=None)
@given(leagues(), st.sampled_from([0.5, 1.0, 3.0]))
def test_ratings_equal_evalicas_when_it_is_given_the_virtual_ties(
    league: tuple[int, list[Game]], prior: float
) -> None:
    num_items, games = league
    outcome = {1.0: evalica.Winner.X, 0.5: evalica.Winner.Draw, 0.0: evalica.Winner.Y}
    ties = list(combinations(range(num_items), 2))
    theirs = evalica.bradley_terry(
        [game.a for game in games] + [a for a, _ in ties],
        [game.b for game in games] + [b for _, b in ties],
        [outcome[game.score_a] for game in games] + [evalica.Winner.Draw] * len(ties),
        weights=[1.0] * len(games) + [prior] * len(ties),
        tolerance=1e-12,
        limit=10_000,
    ).scores
    logs = np.log([theirs[item] for item in range(num_items)])
    assert ratings_of(num_items, games, prior) == pytest.approx(logs - logs.mean(), abs=1e-5)


def test_one_win_has_the_closed_form() -> None:
    """Of 1.5 games 1.25 are won: r_0 - r_1 = log(1.25 / 0.25)."""
    assert ratings_of(2, [Game(0, 1, 1.0)]) == pytest.approx([np.log(5) / 2, -np.log(5) / 2])


@settings(deadline=None)
@given(leagues(), st.sampled_from([0.001, 0.1, 0.5, 1000.0]))
def test_ratings_are_finite_sum_to_zero_and_are_the_maximum(
    league: tuple[int, list[Game]], prior: float
) -> None:
    num_items, games = league
    ratings = np.array(ratings_of(num_items, games, prior))
    assert np.isfinite(ratings).all()
    assert ratings.sum() == pytest.approx(0.0, abs=1e-8)
    wins = count_wins(num_items, games) + prior / 2 * (1 - np.eye(num_items))
    expected = (wins + wins.T) / (1 + np.exp(ratings[None, :] - ratings[:, None]))
    assert wins.sum(axis=1) == pytest.approx(expected.sum(axis=1), abs=1e-6)


@pytest.mark.parametrize("prior", [0.001, 0.5])
def test_sweeps_of_64_are_finite_and_in_order(prior: float) -> None:
    games = [Game(a, b, 1.0) for a, b in combinations(range(64), 2)]
    ratings = ratings_of(64, games, prior)
    assert ratings == sorted(ratings, reverse=True)
    assert max(ratings) < 100.0


def test_parts_that_never_met_share_the_middle() -> None:
    apart = ratings_of(5, [Game(0, 1, 1.0), Game(2, 3, 1.0)])
    assert apart[0] == pytest.approx(apart[2])
    assert apart[1] == pytest.approx(apart[3])
    assert apart[4] == pytest.approx(0.0, abs=1e-9)
    assert apart[0] > 0.0 > apart[1]


def test_without_a_game_all_are_equal() -> None:
    assert ratings_of(3, []) == pytest.approx([0.0] * 3)


@settings(deadline=None)
@given(leagues(), st.randoms(use_true_random=False))
def test_neither_the_order_of_games_nor_the_names_of_items_matter(
    league: tuple[int, list[Game]], rng: random.Random
) -> None:
    num_items, games = league
    names = list(range(num_items))
    rng.shuffle(names)
    mixed = [Game(names[a], names[b], score) for a, b, score in games]
    rng.shuffle(mixed)
    renamed = ratings_of(num_items, mixed)
    assert [renamed[name] for name in names] == pytest.approx(
        ratings_of(num_items, games), abs=1e-7
    )


@settings(deadline=None)
@given(leagues())
def test_if_every_game_ends_the_other_way_the_ratings_change_sign(
    league: tuple[int, list[Game]],
) -> None:
    num_items, games = league
    other_way = [Game(a, b, 1.0 - score) for a, b, score in games]
    assert ratings_of(num_items, other_way) == pytest.approx(
        [-rating for rating in ratings_of(num_items, games)], abs=1e-7
    )


@settings(deadline=None)
@given(leagues())
def test_one_more_win_raises_the_winner_and_lowers_the_loser(
    league: tuple[int, list[Game]],
) -> None:
    num_items, games = league
    before = ratings_of(num_items, games)
    after = ratings_of(num_items, [*games, Game(0, 1, 1.0)])
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_a_stronger_prior_draws_ratings_together() -> None:
    spreads = [np.ptp(ratings_of(4, SWEEP, prior)) for prior in (0.01, 0.5, 5.0)]
    assert spreads == sorted(spreads, reverse=True)


def test_the_covariance_is_what_the_curvature_says() -> None:
    """Of two items with n games at p = 1/2 the difference has variance 4 / n."""
    games = [Game(0, 1, 1.0), Game(0, 1, 0.0)] * 5
    covariance = fit_bradley_terry(count_wins(2, games), 0.5).covariance
    contrast = np.array([1.0, -1.0])
    assert contrast @ covariance @ contrast == pytest.approx(4 / 10.5)
