"""A judge against labels: verdicts and scores that were given before."""

import pytest

from plaudit.schemas.judge import Winner
from plaudit.schemas.judge_calibrate import LabelledGrade, LabelledVerdict, VerdictCounts
from plaudit_judge.statistics.agreement import compare_scores, compare_winners


def verdicts(*pairs: tuple[Winner | list[Winner], Winner | None]) -> list[LabelledVerdict]:
    return [LabelledVerdict(gold=gold, winner=winner) for gold, winner in pairs]


def test_agreement_is_counted_with_and_without_ties() -> None:
    found = compare_winners(
        verdicts(("a", "a"), ("b", "b"), ("tie", "tie"), ("a", "b"), ("b", "tie"), ("tie", "a")), 0
    )
    assert (found.accuracy.value, found.accuracy.num_items) == (0.5, 6)
    assert found.accuracy_without_ties.value == pytest.approx(2 / 3)
    assert found.cohen_kappa.value == pytest.approx(0.25)


def test_the_confusion_has_the_unparsed_which_count_nowhere_else() -> None:
    found = compare_winners(verdicts(("a", "b"), ("a", None), ("tie", None), ("b", "b")), 0)
    assert found.confusion == {
        "a": VerdictCounts(b=1, unparsed=1),
        "b": VerdictCounts(b=1),
        "tie": VerdictCounts(unparsed=1),
    }
    assert (found.accuracy.value, found.accuracy.num_items) == (0.5, 2)


@pytest.mark.parametrize(
    ("labels", "right"),
    [
        (["a", "a", "b"], "a"),
        (["a", "b"], "tie"),
        (["a", "tie"], "tie"),
        (["b", "tie", "tie"], "tie"),
        (["a", "a", "b", "b", "tie"], "tie"),
    ],
)
def test_annotators_decide_by_majority(labels: list[Winner], right: Winner) -> None:
    assert compare_winners(verdicts((labels, right)), 0).accuracy.value == 1.0


def test_alpha_has_the_judge_among_the_annotators() -> None:
    """Equal to one observer more; without the judge it is the people's own."""
    found = compare_winners(
        verdicts((["a", "a"], "b"), (["b", "b"], "a"), (["tie", "tie"], "tie")), 0
    )
    assert found.annotators_alpha.value == 1.0
    assert found.krippendorff_alpha.value == pytest.approx(1 - 8 * 4 / 54)


def test_one_annotator_agrees_with_nobody_else() -> None:
    assert compare_winners(verdicts(("a", "a"), ("b", "b")), 0).annotators_alpha is None


def test_votes_show_flips_and_positions() -> None:
    votes = [{"winner": "a", "swapped": False}, {"winner": "b", "swapped": True}]
    one = LabelledVerdict.model_validate({"gold": "a", "winner": "tie", "votes": votes})
    found = compare_winners([one], 0)
    assert (found.flip_rate.value, found.first_position_rate.value) == (1.0, 1.0)


def test_nothing_judged_is_nothing_known() -> None:
    found = compare_winners(verdicts(("a", None)), 0).model_dump(exclude={"confusion"})
    assert set(found.values()) == {None}
    scores = compare_scores([LabelledGrade(gold=1.0, score=None)], 0).model_dump()
    assert set(scores.values()) == {None}


def test_scores_are_compared_with_the_mean_of_the_annotators() -> None:
    grades = [
        LabelledGrade(gold=[1.0, 3.0], score=2.0),
        LabelledGrade(gold=[2.0, 4.0], score=3.0),
        LabelledGrade(gold=7.0, score=7.0),
        LabelledGrade(gold=9.0, score=None),
    ]
    found = compare_scores(grades, 0)
    assert (found.pearson.value, found.pearson.num_items) == (pytest.approx(1.0), 3)
    assert found.spearman.value == pytest.approx(1.0)
    assert found.krippendorff_alpha.num_items == 3
    assert found.annotators_alpha.num_items == 2


def test_a_judge_on_another_scale_correlates_and_yet_disagrees() -> None:
    grades = [LabelledGrade(gold=float(g), score=float(10 * g)) for g in range(1, 6)]
    found = compare_scores(grades, 0)
    assert found.pearson.value == pytest.approx(1.0)
    assert found.krippendorff_alpha.value < 0.1
