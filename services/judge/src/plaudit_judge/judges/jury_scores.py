"""How the scores that a jury's members give an answer become one."""

import statistics
from collections.abc import Sequence

from plaudit.schemas.judge_scores import Grade
from plaudit_judge.judges.base import Scores
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.panel import Heard
from plaudit_judge.scores.criteria import Criteria


def combine_grades(
    heard: Sequence[Heard[Scores]], spec: JurySpec, scoring: Criteria, place: int
) -> Grade:
    """Of the answer shown at `place`, from the members' fractions of the scale."""
    fractions = [one.said.grades[place].fraction if one.said else None for one in heard]
    fraction = combine_fractions(fractions, [spec.weight_of(one.judge) for one in heard], spec)
    parsed = [value for value in fractions if value is not None]
    return Grade(
        score=None if fraction is None else scoring.score_at(fraction),
        fraction=fraction,
        reason="; ".join(map(_said, heard, fractions)),
        disagreement=statistics.pstdev(parsed) if parsed else None,
    )


def combine_fractions(
    fractions: Sequence[float | None], weights: Sequence[float], spec: JurySpec
) -> float | None:
    """Of those that have one; None below the quorum. A majority of scores is their median."""
    parsed = [(f, w) for f, w in zip(fractions, weights, strict=True) if f is not None]
    if len(parsed) < spec.needed() or not sum(weight for _, weight in parsed):
        return None
    values = [value for value, _ in parsed]
    if spec.combine in ("majority", "median"):
        return statistics.median(values)
    return statistics.fmean(values, [weight for _, weight in parsed])


def _said(one: Heard[Scores], fraction: float | None) -> str:
    if fraction is not None:
        return f"{one.judge}: {fraction:.3g}"
    return f"{one.judge}: {one.error.message if one.error else 'no score in its reply'}"
