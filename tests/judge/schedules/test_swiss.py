"""Swiss rounds: nobody twice, everybody plays, winners meet winners."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_judge.ratings.game import Game
from plaudit_judge.schedules.schedule import Match
from plaudit_judge.schedules.swiss import Swiss


def play(num_items: int, num_rounds: int, seed: int = 0) -> list[list[Match]]:
    """The lower number always wins."""
    swiss, games, rounds = Swiss(num_items, num_rounds, seed), list[Game](), list[list[Match]]()
    while matches := swiss.next_round(games):
        rounds.append(matches)
        games += [Game(a, b, 1.0 if a < b else 0.0) for a, b, _ in matches]
    return rounds


@settings(deadline=None)
@given(st.integers(2, 20), st.integers(1, 25), st.integers(0, 99))
def test_nobody_meets_twice_and_everybody_plays(num_items: int, num_rounds: int, seed: int) -> None:
    rounds = play(num_items, num_rounds, seed)
    pairs = [(a, b) for matches in rounds for a, b, _ in matches]
    assert len(rounds) <= num_rounds
    assert len(set(pairs)) == len(pairs)
    assert all(a < b for a, b in pairs)
    assert {item for pair in pairs for item in pair} == set(range(num_items))
    for matches in rounds[1:]:
        assert max(Counter(item for a, b, _ in matches for item in (a, b)).values()) == 1


@pytest.mark.parametrize("seed", range(10))
def test_winners_meet_winners(seed: int) -> None:
    first, second = play(8, 2, seed)
    winners = {min(a, b) for a, b, _ in first}
    assert all((a in winners) == (b in winners) for a, b, _ in second)


@pytest.mark.parametrize("seed", range(10))
def test_of_an_odd_number_the_one_who_sits_out_is_not_always_the_same(seed: int) -> None:
    played = Counter(item for r in play(7, 4, seed) for a, b, _ in r for item in (a, b))
    assert min(played.values()) >= 2


def test_after_all_have_met_it_is_over() -> None:
    assert len(play(4, 20)) == 3


def test_an_unparsed_verdict_is_no_reason_to_ask_again() -> None:
    swiss = Swiss(4, 3, 0)
    rounds = [swiss.next_round([]) for _ in range(3)]
    assert len({(a, b) for matches in rounds for a, b, _ in matches}) == 6


def test_the_first_round_is_drawn_by_the_seed() -> None:
    assert play(8, 1, 5) == play(8, 1, 5)
    assert len({str(play(8, 1, seed)) for seed in range(10)}) > 5
