"""Wins weighed against the judge's position bias, for `bt_weighted`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from plaudit_judge.ratings.bradley_terry import Matrix


class Verdict(NamedTuple):
    """One parsed vote: `score_first` is 1 when the answer shown first won, 0.5 for a tie."""

    first: int
    second: int
    score_first: float


def weigh_wins(num_items: int, verdicts: Sequence[Verdict]) -> Matrix:
    """[winner, loser]: a win of the answer shown first weighs w1, of the one shown second w2.

    w1 = wins_second / (wins_first + wins_second), w2 = 1 - w1, both 1/2 without a win: wins in the
    position that the judge likes count less. A tie is half a win for each at the mean weight, 1/2;
    the paper leaves ties out. Source: Meta-Rewarding (arXiv 2407.19594), algorithms.md 2.8.
    """
    firsts = sum(verdict.score_first == 1.0 for verdict in verdicts)
    seconds = sum(verdict.score_first == 0.0 for verdict in verdicts)
    weight_first = seconds / (firsts + seconds) if firsts + seconds else 0.5
    wins = np.zeros((num_items, num_items))
    for first, second, score_first in verdicts:
        if score_first == 1.0:
            wins[first, second] += weight_first
        elif score_first == 0.0:
            wins[second, first] += 1.0 - weight_first
        else:
            wins[first, second] += 0.25
            wins[second, first] += 0.25
    return wins
