"""What the verdicts of a judge say about it."""

from collections.abc import Sequence

import numpy as np

from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_statistics import (
    Estimate,
    JudgedPair,
    StatisticsResponse,
)
from plaudit_judge.pairwise import POINTS_OF_A
from plaudit_judge.statistics.bootstrap import Vector
from plaudit_judge.statistics.correlation import spearman
from plaudit_judge.statistics.length_control import length_controlled_win_rate
from plaudit_judge.statistics.rates import rate, share
from plaudit_judge.statistics.votes import first_position_rate, flip_rate, unparsed_rate

_Decided = Sequence[tuple[JudgedPair, Winner]]


def measure_pairs(pairs: Sequence[JudgedPair], seed: int) -> StatisticsResponse:
    votes = [pair.votes for pair in pairs]
    decided = [(pair, pair.winner) for pair in pairs if pair.winner is not None]
    points, differences = _lengths(decided)
    return StatisticsResponse(
        num_pairs=len(pairs),
        num_votes=sum(map(len, votes)),
        unparsed_rate=unparsed_rate(votes),
        first_position_rate=first_position_rate(votes),
        flip_rate=flip_rate(votes),
        tie_rate=share([winner == "tie" for _, winner in decided]),
        win_rate=_win_rate(decided),
        length_correlation=spearman(points, differences, seed),
        length_controlled_win_rate=length_controlled_win_rate(points, differences),
        correctness_agreement=_correctness_agreement(decided),
    )


def _win_rate(decided: _Decided) -> Estimate | None:
    return rate(sum(POINTS_OF_A[winner] for _, winner in decided), len(decided), len(decided))


def _correctness_agreement(decided: _Decided) -> Estimate | None:
    """A tie is no win of the correct answer."""
    return share(
        [
            winner == ("a" if pair.correct_a else "b")
            for pair, winner in decided
            if {pair.correct_a, pair.correct_b} == {True, False}
        ]
    )


def _lengths(decided: _Decided) -> tuple[Vector, Vector]:
    """The points of a and its additional characters, of the pairs whose lengths are given."""
    known = [
        (POINTS_OF_A[winner], pair.num_chars_a - pair.num_chars_b)
        for pair, winner in decided
        if pair.num_chars_a is not None and pair.num_chars_b is not None
    ]
    points, differences = np.array(known, dtype=np.float64).reshape(-1, 2).T
    return points, differences
