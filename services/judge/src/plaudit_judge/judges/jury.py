"""Several judges that decide together."""

import statistics
from collections import Counter
from collections.abc import Sequence

from plaudit.schemas.judge import JudgeInfo, PanelVote, Winner
from plaudit_judge import metrics
from plaudit_judge.judges.base import Case, Judge, Opinion, ScoreCase, Scores
from plaudit_judge.judges.jury_scores import combine_grades
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.panel import Heard, hear_all, sum_replies
from plaudit_judge.parse import Seat

_POINTS: dict[Seat, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}
_WINNERS: dict[Seat, Winner] = {"A": "a", "tie": "tie", "B": "b"}
_MEMBER_SHARE = 0.9
"""Of the time left, so that one member that hangs does not end the whole jury."""
_EVEN = 1e-9
"""Shares that differ from one half by no more than rounding are a tie."""


class Jury:
    """Each member keeps its own limits, key and retries."""

    def __init__(self, name: str, spec: JurySpec, members: Sequence[Judge]) -> None:
        self.name = name
        self._spec = spec
        self.members = members
        self.reads_rubric = any(member.reads_rubric for member in members)
        self.is_symmetric = all(member.is_symmetric for member in members)

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        """Raises as `hear_all` does: too few answered."""
        each_s = _MEMBER_SHARE * timeout_s
        heard = await hear_all(
            self.name, self.members, lambda one: one.compare(case, each_s), self._spec.needed()
        )
        seats = [one.said.seat if one.said else None for one in heard]
        seat = combine(seats, self._spec)
        metrics.count_verdict(self.name, seat)
        panel = [_vote(one) for one in heard]
        text = "; ".join(f"{vote.judge}: {vote.winner or vote.reason}" for vote in panel)
        opinions = [one.said for one in heard if one.said is not None]
        return Opinion(
            seat,
            sum_replies(text, [opinion.reply for opinion in opinions]),
            calls=sum(opinion.calls for opinion in opinions),
            disagreement=disagreement(seats),
            panel=panel,
            members={one.judge: one.said for one in heard if one.said is not None},
        )

    async def grade(self, case: ScoreCase, timeout_s: float) -> Scores:
        """By the members that score by the rubric. Raises as `hear_all` does."""
        each_s = _MEMBER_SHARE * timeout_s
        able = [member for member in self.members if member.reads_rubric]
        heard = await hear_all(
            self.name, able, lambda one: one.grade(case, each_s), self._spec.needed()
        )
        scoring = case.rubric.scoring
        places = range(len(case.responses))
        grades = [combine_grades(heard, self._spec, scoring, place) for place in places]
        metrics.count_scores(self.name, grades)
        given = [one.said for one in heard if one.said is not None]
        text = "\n".join(grade.reason for grade in grades)
        return Scores(
            grades,
            sum_replies(text, [scores.reply for scores in given]),
            calls=sum(scores.calls for scores in given),
            members={one.judge: one.said for one in heard if one.said is not None},
            is_whole_panel=len(given) == len(able) and all(one.is_complete for one in given),
        )

    async def info(self) -> JudgeInfo:
        listed = [await member.info() for member in self.members]
        away = [f"{one.name}: {one.reason}" for one in listed if not one.available]
        available = len(listed) - len(away) >= self._spec.needed()
        return JudgeInfo(
            name=self.name,
            kind="jury",
            model=", ".join(self._spec.judges),
            available=available,
            reason=None if available else "too few members are available: " + "; ".join(away),
        )

    async def aclose(self) -> None:
        for member in self.members:
            await member.aclose()


def _vote(one: Heard[Opinion]) -> PanelVote:
    if one.said is None:
        reason = one.error.message if one.error else None
        return PanelVote(judge=one.judge, winner=None, reason=reason)
    if one.said.seat is None:
        return PanelVote(judge=one.judge, winner=None, reason="no verdict in its reply")
    return PanelVote(judge=one.judge, winner=_WINNERS[one.said.seat])


def combine(seats: Sequence[Seat | None], spec: JurySpec) -> Seat | None:
    """The verdict of those that have one; None below the quorum."""
    weights = spec.weights or [1.0] * len(seats)
    parsed = [(seat, w) for seat, w in zip(seats, weights, strict=True) if seat is not None]
    if len(parsed) < spec.needed():
        return None
    points = [_POINTS[seat] for seat, _ in parsed]
    match spec.combine:
        case "majority":
            return majority([seat for seat, _ in parsed])
        case "mean":
            return _by_share(statistics.fmean(points))
        case "median":
            return _by_share(statistics.median(points))
        case "weighted":
            total = sum(weight for _, weight in parsed)
            if total == 0.0:
                return None
            return _by_share(sum(_POINTS[seat] * w for seat, w in parsed) / total)


def majority(seats: Sequence[Seat]) -> Seat:
    """The most frequent verdict; two that are equally frequent are a tie."""
    ranked = Counter(seats).most_common(2)
    return "tie" if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def disagreement(seats: Sequence[Seat | None]) -> float | None:
    """The share of the parsed members that are not of the most frequent opinion."""
    parsed = [seat for seat in seats if seat is not None]
    if not parsed:
        return None
    return 1.0 - Counter(parsed).most_common(1)[0][1] / len(parsed)


def _by_share(share: float) -> Seat:
    if abs(share - 0.5) <= _EVEN:
        return "tie"
    return "A" if share > 0.5 else "B"
