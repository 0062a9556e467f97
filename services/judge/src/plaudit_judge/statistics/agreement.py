"""How far a judge agrees with labels."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_calibrate import (
    LabelledGrade,
    LabelledVerdict,
    ScoreAgreement,
    VerdictCounts,
    WinnerAgreement,
)
from plaudit.schemas.judge_statistics import Estimate
from plaudit_judge.pairwise import majority
from plaudit_judge.statistics.alpha import interval_alpha, nominal_alpha
from plaudit_judge.statistics.bootstrap import Matrix
from plaudit_judge.statistics.correlation import pearson, spearman
from plaudit_judge.statistics.kappa import cohen_kappa
from plaudit_judge.statistics.rates import share
from plaudit_judge.statistics.votes import first_position_rate, flip_rate

_CLASSES: tuple[Winner, ...] = ("a", "b", "tie")


def compare_winners(verdicts: Sequence[LabelledVerdict], seed: int) -> WinnerAgreement:
    judged = [(_labels(one), one.winner) for one in verdicts if one.winner is not None]
    right = [(_right(labels), winner) for labels, winner in judged]
    without_ties = [(gold, winner) for gold, winner in right if "tie" not in (gold, winner)]
    votes = [one.votes for one in verdicts]
    return WinnerAgreement(
        accuracy=share([gold == winner for gold, winner in right]),
        accuracy_without_ties=share([gold == winner for gold, winner in without_ties]),
        cohen_kappa=_kappa(right, seed),
        krippendorff_alpha=nominal_alpha(_count([[*gold, said] for gold, said in judged]), seed),
        annotators_alpha=nominal_alpha(_count([gold for gold, _ in judged]), seed),
        flip_rate=flip_rate(votes),
        first_position_rate=first_position_rate(votes),
        confusion=_confusion(verdicts),
    )


def compare_scores(grades: Sequence[LabelledGrade], seed: int) -> ScoreAgreement:
    judged = [(_scores(one), one.score) for one in grades if one.score is not None]
    gold = np.array([fmean(scores) for scores, _ in judged], dtype=np.float64)
    given = np.array([score for _, score in judged], dtype=np.float64)
    return ScoreAgreement(
        pearson=pearson(gold, given, seed),
        spearman=spearman(gold, given, seed),
        krippendorff_alpha=interval_alpha([[*scores, score] for scores, score in judged], seed),
        annotators_alpha=interval_alpha([scores for scores, _ in judged], seed),
    )


def _labels(one: LabelledVerdict) -> list[Winner]:
    return one.gold if isinstance(one.gold, list) else [one.gold]


def _scores(one: LabelledGrade) -> list[float]:
    return one.gold if isinstance(one.gold, list) else [one.gold]


def _right(labels: Sequence[Winner]) -> Winner:
    return majority(labels) or "tie"


def _kappa(right: Sequence[tuple[Winner, Winner]], seed: int) -> Estimate | None:
    gold = [_CLASSES.index(label) for label, _ in right]
    said = [_CLASSES.index(winner) for _, winner in right]
    return cohen_kappa(gold, said, len(_CLASSES), seed)


def _count(items: Sequence[Sequence[Winner]]) -> Matrix:
    """[item, class]: how many named it."""
    counts = [[item.count(name) for name in _CLASSES] for item in items]
    return np.array(counts, dtype=np.float64).reshape(-1, len(_CLASSES))


def _confusion(verdicts: Sequence[LabelledVerdict]) -> dict[Winner, VerdictCounts]:
    cells: Counter[tuple[str, str]] = Counter(
        (_right(_labels(one)), one.winner or "unparsed") for one in verdicts
    )
    said = (*_CLASSES, "unparsed")
    return {gold: VerdictCounts(**{name: cells[gold, name] for name in said}) for gold in _CLASSES}
