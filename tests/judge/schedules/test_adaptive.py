"""Adaptive tournaments: their bounds, what they ask next, when they stop, what that is worth."""

import math
from collections import Counter
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.schemas.judge import Goal
from plaudit_judge.ratings.bradley_terry import count_wins, fit_bradley_terry
from plaudit_judge.ratings.game import Game
from plaudit_judge.schedules.adaptive import Adaptive, goal_contrasts, information, uncertainty
from plaudit_judge.schedules.schedule import Match

POSITION_BIAS = 0.5
GOALS: list[Goal] = ["order", "top", "advantage_sign"]


class NoisyJudge:
    """P(the one shown first wins) = sigmoid(q_first - q_second + 0.5), each call drawn anew."""

    def __init__(self, num_items: int, spread: float, seed: int) -> None:
        self._chance = Random(seed)
        self.quality = [self._chance.gauss(0.0, spread) for _ in range(num_items)]
        self.calls = 0

    def compare(self, match: Match) -> Game:
        self.calls += 1
        a, b, swapped = match
        first, second = (b, a) if swapped else (a, b)
        logit = self.quality[first] - self.quality[second] + POSITION_BIAS
        first_wins = self._chance.random() < 0.5 * (1.0 + math.tanh(0.5 * logit))
        return Game(a, b, float(first_wins != bool(swapped)))

    def tau(self, games: list[Game], prior: float) -> float:
        """Kendall's tau of the Bradley-Terry ratings with the true order."""
        ratings = fit_bradley_terry(count_wins(len(self.quality), games), prior).ratings
        return float(
            np.mean(
                [
                    np.sign(round(ratings[a] - ratings[b], 9))
                    * np.sign(self.quality[a] - self.quality[b])
                    for a, b in combinations(range(len(self.quality)), 2)
                ]
            )
        )


def make(num_items: int, **fields: object) -> Adaptive:
    arguments: dict = {
        "goal": "order",
        "confidence": 1.0,
        "max_comparisons": math.comb(num_items, 2),
        "num_rounds": 5,
        "seed": 0,
    }
    return Adaptive(num_items, **(arguments | fields))


def play(schedule: Adaptive, judge: NoisyJudge) -> tuple[list[Game], list[list[Match]]]:
    games, rounds = list[Game](), list[list[Match]]()
    while matches := schedule.next_round(games):
        rounds.append(matches)
        games += [judge.compare(match) for match in matches]
    return games, rounds


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 12),
    st.integers(1, 150),
    st.integers(1, 8),
    st.sampled_from(GOALS),
    st.integers(),
)
def test_no_bound_is_passed(
    num_items: int, budget: int, num_rounds: int, goal: Goal, seed: int
) -> None:
    schedule = make(num_items, max_comparisons=budget, num_rounds=num_rounds, goal=goal, seed=seed)
    games, rounds = play(schedule, NoisyJudge(num_items, 2.0, seed))
    asked = [(b, a) if swapped else (a, b) for r in rounds for a, b, swapped in r]
    assert len(games) <= min(budget, num_items * (num_items - 1))
    assert len(rounds) <= num_rounds
    assert len(set(asked)) == len(asked), "one order of a pair was asked twice"
    if num_rounds > 1 and budget <= num_items * (num_items - 1):
        assert len(games) == budget


def test_the_first_round_has_everybody_twice() -> None:
    [first, *_] = play(make(8), NoisyJudge(8, 2.0, 0))[1]
    assert set(Counter(item for a, b, _ in first for item in (a, b)).values()) == {2}


@pytest.mark.parametrize("seed", range(5))
def test_everybody_is_shown_first_about_half_the_time(seed: int) -> None:
    _, rounds = play(make(8, seed=seed), NoisyJudge(8, 2.0, seed))
    matches = [match for r in rounds for match in r]
    lead = Counter(dict.fromkeys(range(8), 0))
    for a, b, swapped in matches:
        lead[b if swapped else a] += 1
        lead[a if swapped else b] -= 1
    assert max(map(abs, lead.values())) <= 3


def test_the_seed_decides_and_nothing_else() -> None:
    games = [play(make(8, seed=seed), NoisyJudge(8, 2.0, 1))[0] for seed in (1, 1, 2)]
    assert games[0] == games[1] != games[2]


def test_unparsed_verdicts_are_not_asked_for_ever() -> None:
    schedule = make(4, max_comparisons=100)
    rounds = []
    while matches := schedule.next_round([]):
        rounds.append(matches)
    assert sum(map(len, rounds)) == 12


def test_close_items_are_asked_before_those_far_apart() -> None:
    gains = gains_by_pair("order", [3.0, 0.1, 0.0, -3.0])
    assert max(gains, key=lambda pair: gains[pair]) == (1, 2)
    assert min(gains, key=lambda pair: gains[pair]) == (0, 3)


def test_for_the_top_nobody_asks_who_is_last() -> None:
    order, top = (gains_by_pair(goal, [2.0, 1.5, -1.5, -2.0]) for goal in ("order", "top"))
    assert order[0, 1] == pytest.approx(order[2, 3])
    assert top[0, 1] > 10 * top[2, 3]


def gains_by_pair(goal: Goal, ratings: list[float]) -> dict[tuple[int, int], float]:
    values = np.array(ratings)
    pairs = goal_contrasts("order", values)
    gains = information(pairs, goal_contrasts(goal, values), values, np.eye(len(values)))
    return dict(zip(combinations(range(len(values)), 2), gains, strict=True))


def test_doubt_is_the_normal_tail() -> None:
    ratings, covariance = np.array([1.0, -0.96]), np.eye(2) / 2.0
    [doubt] = uncertainty(goal_contrasts("order", ratings), ratings, covariance)
    assert doubt == pytest.approx(0.025, abs=1e-4)


def test_goals_are_what_they_say() -> None:
    ratings = np.array([0.5, 2.0, -2.5])
    assert (goal_contrasts("order", ratings) @ ratings).tolist() == [-1.5, 3.0, 4.5]
    assert (goal_contrasts("top", ratings) @ ratings).tolist() == [1.5, 4.5]
    assert (goal_contrasts("advantage_sign", ratings) @ ratings).tolist() == ratings.tolist()


@pytest.mark.parametrize("goal", ["order", "advantage_sign"])
def test_it_stops_when_as_much_is_right_as_was_asked_for(goal: Goal) -> None:
    """And no later than that needs: well before the budget of all ordered pairs."""
    shares, calls = [], []
    for seed in range(100):
        judge = NoisyJudge(8, 4.0, seed)
        schedule = make(8, goal=goal, confidence=0.85, max_comparisons=56, num_rounds=10, seed=seed)
        games, _ = play(schedule, judge)
        found = fit_bradley_terry(count_wins(8, games), 0.1).ratings
        contrasts = goal_contrasts(goal, found)
        shares.append(np.mean((contrasts @ found > 0) == (contrasts @ np.array(judge.quality) > 0)))
        calls.append(judge.calls)
    assert np.mean(shares) > 0.85
    assert np.mean(calls) < 28


def test_a_clear_winner_ends_the_search_for_the_top() -> None:
    judge = NoisyJudge(8, 1.0, 3)
    judge.quality[2] = 15.0
    schedule = make(8, goal="top", confidence=0.8, max_comparisons=56, num_rounds=10)
    games, _ = play(schedule, judge)
    assert int(np.argmax(fit_bradley_terry(count_wins(8, games), 0.1).ratings)) == 2
    assert len(games) < 40


@pytest.mark.parametrize(("num_items", "num_groups"), [(8, 300), (16, 80)])
def test_half_the_calls_order_a_group_as_well_as_all_of_them(
    num_items: int, num_groups: int
) -> None:
    """Of a judge that is right about 95 % of pairs; benchmarks/tournaments.py has other ones."""
    both, half, single = [], [], []
    for seed in range(num_groups):
        judge = NoisyJudge(num_items, 8.0, seed)
        pairs = list(combinations(range(num_items), 2))
        orders = [[judge.compare(Match(a, b, s)) for s in (False, True)] for a, b in pairs]
        ties = [Game(x.a, x.b, (x.score_a + y.score_a) / 2) for x, y in orders]
        both.append(judge.tau(ties, 0.5))
        single.append(judge.tau([order[seed % 2] for order in orders], 0.5))
        calls = judge.calls
        games, _ = play(make(num_items, seed=seed), judge)
        half.append(judge.tau(games, 0.1))
        assert judge.calls - calls <= calls // 2
    assert np.mean(half) >= np.mean(both) - 0.02
    assert np.mean(half) > np.mean(single) + 0.005, "no better than asking every pair once"
