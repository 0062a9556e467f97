"""The ratings that a tournament's rules ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from plaudit.schemas.judge import TournamentRules
from plaudit_judge.ratings.bradley_terry import Matrix, count_wins, fit_bradley_terry
from plaudit_judge.ratings.elo import run_elo
from plaudit_judge.ratings.game import Game, rated_items
from plaudit_judge.ratings.position_weights import Verdict, weigh_wins
from plaudit_judge.ratings.rewards import min_max_rewards, rank_rewards, z_score_rewards
from plaudit_judge.ratings.win_rate import win_rates


@dataclass(frozen=True)
class Judged:
    """A comparison with a winner, and the votes that it was decided by."""

    game: Game
    verdicts: tuple[Verdict, ...]


def rate(
    rules: TournamentRules, num_items: int, judged: Sequence[Judged], seed: int
) -> list[float | None]:
    """One rating for each item, None for those that were not compared."""
    rated = sorted(rated_items(one.game for one in judged))
    # The fit is among the rated only: virtual ties with the others would pull at them.
    numbers = {item: number for number, item in enumerate(rated)}
    ratings = _RATINGS[rules.rating](rules, len(rated), _renumber(judged, numbers), seed)
    return [ratings[numbers[item]] if item in numbers else None for item in range(num_items)]


def reward(rules: TournamentRules, ratings: Sequence[float | None]) -> list[float | None]:
    if rules.reward_form == "z_score":
        return z_score_rewards(ratings)
    form = min_max_rewards if rules.reward_form == "min_max" else rank_rewards
    return form(ratings, rules.reward_min, rules.reward_max)


def _renumber(judged: Sequence[Judged], numbers: dict[int, int]) -> list[Judged]:
    return [
        Judged(
            Game(numbers[one.game.a], numbers[one.game.b], one.game.score_a),
            tuple(Verdict(numbers[a], numbers[b], score) for a, b, score in one.verdicts),
        )
        for one in judged
    ]


def _elo(
    rules: TournamentRules, num_items: int, judged: Sequence[Judged], seed: int
) -> list[float]:
    return run_elo(
        num_items,
        [one.game for one in judged],
        iterations=rules.elo_iterations,
        k_factor=rules.elo_k,
        order=rules.elo_order,
        seed=seed,
    )


def _bradley_terry(
    rules: TournamentRules, num_items: int, judged: Sequence[Judged], seed: int
) -> list[float]:
    return _fit(rules, count_wins(num_items, [one.game for one in judged]))


def _bt_weighted(
    rules: TournamentRules, num_items: int, judged: Sequence[Judged], seed: int
) -> list[float]:
    return _fit(rules, weigh_wins(num_items, [v for one in judged for v in one.verdicts]))


def _fit(rules: TournamentRules, wins: Matrix) -> list[float]:
    if not wins.size:
        return []
    return [float(r) for r in np.round(fit_bradley_terry(wins, rules.bt_prior).ratings, 9)]


def _win_rate(
    rules: TournamentRules, num_items: int, judged: Sequence[Judged], seed: int
) -> list[float]:
    return win_rates(num_items, [one.game for one in judged])


_Rate = Callable[[TournamentRules, int, Sequence[Judged], int], list[float]]
_RATINGS: dict[str, _Rate] = {
    "elo": _elo,
    "bradley_terry": _bradley_terry,
    "bt_weighted": _bt_weighted,
    "win_rate": _win_rate,
}
