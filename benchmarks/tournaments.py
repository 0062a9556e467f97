"""How well tournaments order a group for the calls they make, by simulation.

    python benchmarks/tournaments.py [--seeds 400] [--write]

The judge of the simulation. Answer i of a group has the true quality t_i ~ N(0, 1); the judge sees
q_i = sharpness * (insight * t_i + sqrt(1 - insight^2) * e_i), e_i ~ N(0, 1) drawn once per group:
what it gets wrong about an answer, it gets wrong every time (insight 1: nothing). Each call is an
independent draw: P(the answer shown first wins) = sigmoid(q_first - q_second + 0.5); the 0.5 is its
position bias. Kendall's tau is between the ratings and t; equal ratings count as no order.

All schedules are rated by Bradley-Terry, each with the prior that suits it: 0.5 virtual ties per
pair for all pairs, 0.1 for adaptive. Differences are between tournaments of the same group; their
standard error is over the groups.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import get_args

import numpy as np
from docs_section import machine, write_section
from numpy.typing import NDArray

from plaudit.schemas.judge import Rating, TournamentRules
from plaudit_judge.ratings.bradley_terry import count_wins, fit_bradley_terry
from plaudit_judge.ratings.game import Game
from plaudit_judge.ratings.position_weights import Verdict
from plaudit_judge.ratings.rate import Judged, rate, reward
from plaudit_judge.schedules.adaptive import Adaptive
from plaudit_judge.schedules.pairs import all_pairs
from plaudit_judge.schedules.schedule import Match

POSITION_BIAS = 0.5
MARGIN = 0.02
JUDGES = ((1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (8.0, 1.0), (4.0, 0.95), (4.0, 0.9), (8.0, 0.9))
GROUP_SIZES = (8, 16)


@dataclass
class SimulatedJudge:
    truth: list[float]
    seen: list[float]
    chance: Random
    calls: int = 0

    @classmethod
    def of(cls, num_items: int, sharpness: float, insight: float, seed: int) -> "SimulatedJudge":
        chance = Random(seed)
        truth = [chance.gauss() for _ in range(num_items)]
        error = math.sqrt(1.0 - insight**2)
        seen = [sharpness * (insight * t + error * chance.gauss()) for t in truth]
        return cls(truth, seen, chance)

    def first_wins(self, first: int, second: int) -> bool:
        self.calls += 1
        return self.chance.random() < sigmoid(self.seen[first] - self.seen[second] + POSITION_BIAS)

    def compare(self, match: Match) -> Game:
        a, b, swapped = match
        return Game(a, b, float(not self.first_wins(b, a) if swapped else self.first_wins(a, b)))

    def accuracy(self) -> float:
        """How often it would be right about a pair without its position bias."""
        pairs = all_pairs(len(self.truth))
        chances = [
            sigmoid(
                math.copysign(1.0, self.truth[a] - self.truth[b]) * (self.seen[a] - self.seen[b])
            )
            for a, b in pairs
        ]
        return sum(chances) / len(pairs)


def both_orders(judge: SimulatedJudge, seed: int) -> NDArray[np.float64]:
    """all_pairs with swap: orders that disagree make a tie."""
    n = len(judge.truth)
    games = []
    for a, b in all_pairs(n):
        scores = [judge.compare(Match(a, b, swapped)).score_a for swapped in (False, True)]
        games.append(Game(a, b, sum(scores) / 2.0))
    return fit_bradley_terry(count_wins(n, games), 0.5).ratings


def one_order(judge: SimulatedJudge, seed: int) -> NDArray[np.float64]:
    n = len(judge.truth)
    drawn = [Match(a, b, judge.chance.random() < 0.5) for a, b in all_pairs(n)]
    return fit_bradley_terry(count_wins(n, [judge.compare(m) for m in drawn]), 0.5).ratings


def adaptive(share: float) -> Callable[[SimulatedJudge, int], NDArray[np.float64]]:
    """`share` of the calls of all_pairs in both orders, in 5 rounds; no early stop."""

    def play(judge: SimulatedJudge, seed: int) -> NDArray[np.float64]:
        n = len(judge.truth)
        schedule = Adaptive(
            n,
            goal="order",
            confidence=1.0,
            max_comparisons=int(share * n * (n - 1)),
            num_rounds=5,
            seed=seed,
        )
        games: list[Game] = []
        while matches := schedule.next_round(games):
            games += [judge.compare(match) for match in matches]
        return fit_bradley_terry(count_wins(n, games), 0.1).ratings

    return play


SCHEDULES: dict[str, Callable[[SimulatedJudge, int], NDArray[np.float64]]] = {
    "all_pairs, both orders": both_orders,
    "all_pairs, one order": one_order,
    "adaptive, 1/2": adaptive(0.5),
    "adaptive, 1/4": adaptive(0.25),
}


def sigmoid(x: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * x))


def kendall_tau(ratings: NDArray[np.float64], truth: list[float]) -> float:
    firsts, seconds = np.triu_indices(len(truth), 1)
    order = np.sign(np.round(ratings[firsts] - ratings[seconds], 9))
    true_order = np.sign(np.array(truth)[firsts] - np.array(truth)[seconds])
    return float(np.mean(order * true_order))


def measure(num_items: int, sharpness: float, insight: float, num_seeds: int) -> str:
    """One row of the table."""
    taus: dict[str, list[float]] = {name: [] for name in SCHEDULES}
    calls: dict[str, int] = {}
    accuracies = []
    for seed in range(num_seeds):
        for name, play in SCHEDULES.items():
            judge = SimulatedJudge.of(num_items, sharpness, insight, seed)
            taus[name].append(kendall_tau(play(judge, seed), judge.truth))
            calls[name] = judge.calls
        accuracies.append(judge.accuracy())
    full, single, half, quarter = (np.array(taus[name]) for name in SCHEDULES)
    lost = full - half
    error = lost.std() / math.sqrt(num_seeds)
    return (
        f"| {num_items} | {sharpness:g} | {insight:g} | {np.mean(accuracies):.0%} "
        f"| {full.mean():.3f} ({calls['all_pairs, both orders']}) "
        f"| {single.mean():.3f} ({calls['all_pairs, one order']}) "
        f"| {half.mean():.3f} ({calls['adaptive, 1/2']}) "
        f"| {quarter.mean():.3f} ({calls['adaptive, 1/4']}) "
        f"| {lost.mean():+.3f} ± {error:.3f} | {'yes' if lost.mean() <= MARGIN else 'no'} |"
    )


def rating_times() -> str:
    """Rating and reward of 16 answers from all pairs in both orders; the median of 300."""
    chance = Random(0)
    judged = []
    for a, b in all_pairs(16):
        wins = [float(chance.random() < 0.7) for _ in range(2)]
        verdicts = (Verdict(a, b, wins[0]), Verdict(b, a, 1.0 - wins[1]))
        judged.append(Judged(Game(a, b, sum(wins) / 2.0), verdicts))
    names = get_args(Rating)
    return "Rating 16 answers: " + ", ".join(f"{n} {_median_ms(n, judged):.2f} ms" for n in names)


def _median_ms(rating: Rating, judged: list[Judged]) -> float:
    rules = TournamentRules(rating=rating)
    seconds = []
    for _ in range(300):
        started_s = time.perf_counter()
        reward(rules, rate(rules, 16, judged, seed=0))
        seconds.append(time.perf_counter() - started_s)
    return 1e3 * median(seconds)


HEADER = """\
| G | sharpness | insight | pairs right | all_pairs, both orders | all_pairs, one order \
| adaptive, half the calls | a quarter | lost by half | within 0.02 |
|---|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    arguments = parser.parse_args()
    lines = [HEADER]
    print(HEADER)
    for num_items in GROUP_SIZES:
        for sharpness, insight in JUDGES:
            lines.append(measure(num_items, sharpness, insight, arguments.seeds))
            print(lines[-1], flush=True)
    lines.append(f"\n{rating_times()}. {arguments.seeds} groups per row, {machine()}.")
    print(lines[-1])
    if arguments.write:
        write_section("tournaments", "\n".join(lines))


if __name__ == "__main__":
    main()
