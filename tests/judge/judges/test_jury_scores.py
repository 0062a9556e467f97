"""Scores of a jury: whose count, what becomes of them, and who disagrees."""

import pytest

from plaudit.errors import Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import JudgeInfo
from plaudit.schemas.judge_scores import Grade
from plaudit_judge.judges.base import Case, Judge, Opinion, Reply, ScoreCase, Scores
from plaudit_judge.judges.jury import Jury
from plaudit_judge.judges.jury_scores import combine_fractions
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.rule import RuleJudge, RuleSpec
from plaudit_judge.rubric_files import load_rubrics

CASE = ScoreCase(
    [Message(role="user", content="p")], ["1", "2"], None, load_rubrics()["self_rewarding"], seed=0
)


def spec(combine: str, quorum: int | None = None, weights: list[float] | None = None) -> JurySpec:
    return JurySpec.model_validate(
        {"judges": ["x", "y", "z"], "combine": combine, "quorum": quorum, "weights": weights}
    )


@pytest.mark.parametrize(
    ("how", "fractions", "fraction"),
    [
        (spec("mean"), [0.0, 0.5, 1.0], 0.5),
        (spec("mean"), [0.2, None, 0.4], 0.3),
        (spec("median"), [0.0, 0.1, 1.0], 0.1),
        (spec("majority"), [0.0, 0.1, 1.0], 0.1),
        (spec("weighted", weights=[2.0, 1.0, 1.0]), [1.0, 0.0, 0.0], 0.5),
        (spec("weighted", weights=[2.0, 1.0, 1.0]), [None, 0.0, 0.5], 0.25),
        (spec("weighted", weights=[1.0, 0.0, 0.0]), [None, 0.0, 0.5], None),
        (spec("mean"), [0.0, None, None], None),
        (spec("mean", quorum=1), [0.0, None, None], 0.0),
        (spec("mean", quorum=3), [0.0, 0.5, None], None),
    ],
)
def test_fractions_become_one(
    how: JurySpec, fractions: list[float | None], fraction: float | None
) -> None:
    weights = [how.weight_of(name) for name in "xyz"]
    assert combine_fractions(fractions, weights, how) == (
        None if fraction is None else pytest.approx(fraction)
    )


class Stated:
    """A member that gives the two answers these scores of 5, or raises."""

    reads_rubric = True
    is_symmetric = False

    def __init__(self, name: str, says: list[float | None] | Unavailable) -> None:
        self.name = name
        self._says = says

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        raise NotImplementedError

    async def grade(self, case: ScoreCase, timeout_s: float) -> Scores:
        if isinstance(self._says, Unavailable):
            raise self._says
        grades = [Grade(score=s, fraction=None if s is None else s / 5) for s in self._says]
        return Scores(grades, Reply("x", prompt_tokens=2))

    async def info(self) -> JudgeInfo:
        return JudgeInfo(name=self.name, kind="rule", available=True)

    async def aclose(self) -> None:
        pass


async def test_a_jury_scores_on_the_scale_of_the_rubric_and_says_who_said_what() -> None:
    members = [Stated("x", [5.0, 1.0]), Stated("y", [3.0, None]), Stated("z", Unavailable("down"))]
    scores = await Jury("jury", spec("mean"), members).grade(CASE, 5.0)
    first, second = scores.grades
    found = (first.score, first.fraction, first.disagreement)
    assert found == pytest.approx((4.0, 0.8, 0.2))
    assert first.reason == "x: 1; y: 0.6; z: down"
    assert (second.score, second.reason) == (None, "x: 0.2; y: no score in its reply; z: down")
    assert (scores.calls, scores.reply.prompt_tokens, scores.is_complete) == (2, 4, False)


async def test_a_jury_with_a_member_that_is_away_is_not_complete() -> None:
    members = [Stated(name, [5.0, 1.0]) for name in "xy"]
    whole = await Jury("jury", spec("mean"), [*members, Stated("z", [5.0, 1.0])]).grade(CASE, 5.0)
    part = await Jury("jury", spec("mean"), [*members, Stated("z", Unavailable("down"))]).grade(
        CASE, 5.0
    )
    assert (whole.is_complete, part.is_complete) == (True, False)
    assert part.grades[0].score == 5.0


async def test_members_that_give_rewards_have_no_say_in_scores() -> None:
    rule = RuleJudge("z", RuleSpec(rule="longer"))
    members: list[Judge] = [Stated("x", [5.0, 1.0]), Stated("y", [5.0, 1.0]), rule]
    scores = await Jury("jury", spec("mean"), members).grade(CASE, 5.0)
    assert [grade.reason for grade in scores.grades] == ["x: 1; y: 1", "x: 0.2; y: 0.2"]
    assert scores.is_complete


async def test_without_its_quorum_a_jury_fails_instead_of_scoring() -> None:
    members = [Stated("x", [5.0, 1.0]), *(Stated(name, Unavailable("down")) for name in "yz")]
    with pytest.raises(Unavailable, match="1 of 3 members answered, quorum is 2: down"):
        await Jury("jury", spec("mean"), members).grade(CASE, 5.0)
