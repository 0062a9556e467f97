"""From the scores of criteria to the score of an answer."""

import pytest

from plaudit.schemas.judge import Scale
from plaudit_judge.scores.criteria import Criteria, Criterion


def criteria(*weights: float, scale: Scale | None = None) -> Criteria:
    items = [Criterion(name=f"c{i}", description="d", weight=w) for i, w in enumerate(weights)]
    return Criteria(items, scale)


def points(*most: float) -> Criteria:
    return Criteria(
        [Criterion(name=f"c{i}", description="d", points=p) for i, p in enumerate(most)], None
    )


def test_a_score_is_the_weighted_mean_on_the_scale() -> None:
    grade = criteria(3.0, 1.0).grade({"c0": 5.0, "c1": 1.0}, "why")
    assert (grade.score, grade.fraction, grade.reason) == (4.0, 0.75, "why")
    assert [(one.name, one.score, one.weight) for one in grade.criteria] == [
        ("c0", 5.0, 3.0),
        ("c1", 1.0, 1.0),
    ]


def test_points_add_up() -> None:
    found = points(1, 1, 2)
    grade = found.grade({"c0": 1.0, "c1": 0.0, "c2": 1.0}, "")
    assert found.total == Scale(min=0, max=4)
    assert (grade.score, grade.fraction) == (2.0, 0.5)


@pytest.mark.parametrize("scores", [{"c0": 5.0}, {"c0": 5.0, "c1": None}])
def test_a_missing_criterion_leaves_no_score_and_is_not_0(scores: dict[str, float | None]) -> None:
    grade = criteria(1.0, 1.0).grade(scores, "Good.")
    assert (grade.score, grade.fraction) == (None, None)
    assert [one.score for one in grade.criteria] == [5.0, None]
    assert grade.reason == "No score on the scale for c1. Good."


def test_a_scale_may_begin_below_0() -> None:
    found = criteria(1.0, scale=Scale(min=-10, max=10))
    assert found.grade({"c0": -10.0}, "").fraction == 0.0
    assert found.score_at(0.75) == 5.0
