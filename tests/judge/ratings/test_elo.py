"""Elo ratings: published vectors, an independent library, properties."""

import random
from itertools import combinations, permutations

import evalica
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_judge.ratings.elo import Order, run_elo
from plaudit_judge.ratings.game import Game

TRANSITIVE = [Game(a, b, 1.0) for a, b in combinations(range(4), 2)]
CYCLE = [Game(0, 1, 1.0), Game(1, 2, 1.0), Game(2, 0, 1.0)]
ORDERS: list[Order] = ["sequential", "shuffled", "batch"]

scores = st.sampled_from([0.0, 0.5, 1.0])


@st.composite
def leagues(draw: st.DrawFn) -> tuple[int, list[Game]]:
    num_items = draw(st.integers(2, 16))
    items = st.integers(0, num_items - 1)
    pairs = draw(st.lists(st.tuples(items, items).filter(lambda p: p[0] != p[1]), max_size=60))
    return num_items, [Game(a, b, draw(scores)) for a, b in pairs]


@pytest.mark.parametrize(
    ("games", "iterations", "expected"),
    [
        (TRANSITIVE, 1, [23.4519, 7.8283, -7.8118, -23.4685]),
        (TRANSITIVE, 10, [164.9916, 54.8756, -54.1356, -165.7316]),
        (CYCLE, 10, [-2.766, 1.3722, 1.3938]),
        (CYCLE[::-1], 10, [2.766, -1.3938, -1.3722]),
    ],
)
def test_the_published_vectors(games: list[Game], iterations: int, expected: list[float]) -> None:
    ratings = run_elo(len(expected), games, iterations=iterations)
    assert [round(rating, 4) for rating in ratings] == expected


@settings(deadline=None)
@given(leagues(), st.sampled_from([4.0, 16.0, 32.0]), st.integers(1, 5))
def test_sequential_ratings_equal_evalicas(
    league: tuple[int, list[Game]], k: float, iterations: int
) -> None:
    num_items, games = league
    if not games:
        return
    outcome = {1.0: evalica.Winner.X, 0.5: evalica.Winner.Draw, 0.0: evalica.Winner.Y}
    played = games * iterations
    theirs = evalica.elo(
        [game.a for game in played],
        [game.b for game in played],
        [outcome[game.score_a] for game in played],
        initial=0.0,
        k=k,
    ).scores
    ours = run_elo(num_items, games, iterations=iterations, k_factor=k)
    for item, rating in theirs.items():
        assert ours[item] == pytest.approx(rating, abs=1e-9)


@settings(deadline=None)
@given(leagues(), st.sampled_from(ORDERS), st.floats(0.1, 200.0), st.integers(1, 20))
def test_ratings_sum_to_zero(
    league: tuple[int, list[Game]], order: Order, k: float, iterations: int
) -> None:
    num_items, games = league
    ratings = run_elo(num_items, games, iterations=iterations, k_factor=k, order=order)
    assert sum(ratings) == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None)
@given(leagues(), st.randoms(use_true_random=False))
def test_batch_ratings_do_not_depend_on_the_order_of_games(
    league: tuple[int, list[Game]], rng: random.Random
) -> None:
    num_items, games = league
    mixed = games.copy()
    rng.shuffle(mixed)
    assert run_elo(num_items, games, order="batch") == run_elo(num_items, mixed, order="batch")


@settings(deadline=None)
@given(leagues(), st.sampled_from(ORDERS))
def test_seen_from_the_other_side_a_game_is_the_same(
    league: tuple[int, list[Game]], order: Order
) -> None:
    num_items, games = league
    turned = [Game(game.b, game.a, 1.0 - game.score_a) for game in games]
    assert run_elo(num_items, games, order=order) == pytest.approx(
        run_elo(num_items, turned, order=order), abs=1e-9
    )


def test_sequential_ratings_do_depend_on_the_order() -> None:
    first = run_elo(3, CYCLE)
    assert any(run_elo(3, list(other)) != first for other in permutations(CYCLE))


def test_a_shuffle_is_drawn_by_the_seed() -> None:
    by_seed = [run_elo(3, CYCLE, order="shuffled", seed=seed) for seed in range(10)]
    assert by_seed[3] == run_elo(3, CYCLE, order="shuffled", seed=3)
    assert len({tuple(ratings) for ratings in by_seed}) > 1


def test_global_random_state_is_left_alone() -> None:
    random.seed(1)
    before = random.getstate()
    run_elo(3, CYCLE, order="shuffled")
    assert random.getstate() == before


@pytest.mark.parametrize("order", ORDERS)
def test_more_wins_rank_higher(order: Order) -> None:
    ratings = run_elo(4, TRANSITIVE, order=order)
    assert ratings == sorted(ratings, reverse=True)


def test_a_huge_k_does_not_overflow() -> None:
    ratings = run_elo(2, [Game(0, 1, 1.0), Game(0, 1, 0.0)], k_factor=1e12)
    assert sum(ratings) == 0.0
