"""Several judges that decide together."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.judge import JudgeInfo, PanelVote, Winner
from plaudit_judge import metrics
from plaudit_judge.judges.base import Case, Judge, Opinion, Reply, SpecBase
from plaudit_judge.parse import Seat
from plaudit_judge.together import together

_POINTS: dict[Seat, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}
_WINNERS: dict[Seat, Winner] = {"A": "a", "tie": "tie", "B": "b"}
_MEMBER_SHARE = 0.9
"""Of the time left, so that one member that hangs does not end the whole jury."""
_EVEN = 1e-9
"""Shares that differ from one half by no more than rounding are a tie."""


class JurySpec(SpecBase):
    kind: Literal["jury"] = "jury"
    judges: list[str] = Field(min_length=2, max_length=16)
    """Names of other judges; none of them a jury."""
    combine: Literal["majority", "mean", "median", "weighted"] = "majority"
    """majority: the most frequent verdict; mean, median, weighted: of the points that the answer
    has with each member (1, 1/2 for a tie, 0), above one half it wins."""
    weights: list[float] | None = None
    """Of the members, in their order; only for combine = "weighted"."""
    quorum: int | None = Field(default=None, ge=1, le=16)
    """Members that must have an opinion, else there is no verdict; None: more than half."""

    @model_validator(mode="after")
    def fits(self) -> Self:
        if len(set(self.judges)) != len(self.judges):
            raise ValueError("judges: a member is named twice")
        if (self.weights is not None) != (self.combine == "weighted"):
            raise ValueError("weights belong to combine = 'weighted', which needs them")
        weights = self.weights or [1.0]
        if self.weights is not None and len(weights) != len(self.judges):
            raise ValueError(f"weights: {len(weights)} for {len(self.judges)} judges")
        if not all(0.0 <= weight < 1e9 for weight in weights) or not sum(weights) > 0.0:
            raise ValueError("weights: must be 0 or more, and not all 0")
        if self.needed() > len(self.judges):
            raise ValueError(f"quorum: {self.quorum} of {len(self.judges)} judges")
        return self

    def needed(self) -> int:
        return self.quorum or len(self.judges) // 2 + 1


@dataclass(frozen=True)
class _Said:
    """What a member said, or why it did not."""

    judge: str
    opinion: Opinion | None
    error: Rejected | Unavailable | None = None

    def vote(self) -> PanelVote:
        if self.opinion is None:
            reason = self.error.message if self.error else None
            return PanelVote(judge=self.judge, winner=None, reason=reason)
        seat = self.opinion.seat
        if seat is None:
            return PanelVote(judge=self.judge, winner=None, reason="no verdict in its reply")
        return PanelVote(judge=self.judge, winner=_WINNERS[seat])


class Jury:
    """Asks all members at once; each keeps its own limits, key and retries."""

    def __init__(self, name: str, spec: JurySpec, members: Sequence[Judge]) -> None:
        self.name = name
        self._spec = spec
        self.members = members
        self.reads_rubric = any(member.reads_rubric for member in members)
        self.is_symmetric = all(member.is_symmetric for member in members)

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        """Raises Unavailable (or Rejected, where nobody may try again): too few answered."""
        each_s = _MEMBER_SHARE * timeout_s
        calls = (partial(_hear, member, case, each_s) for member in self.members)
        said = await together(calls, len(self.members))
        self._check_answered(said)
        seats = [one.opinion.seat if one.opinion else None for one in said]
        seat = combine(seats, self._spec)
        metrics.count_verdict(self.name, seat)
        opinions = [one.opinion for one in said if one.opinion is not None]
        return Opinion(
            seat,
            _reply(said, opinions),
            calls=sum(opinion.calls for opinion in opinions),
            disagreement=disagreement(seats),
            panel=[one.vote() for one in said],
        )

    def _check_answered(self, said: Sequence[_Said]) -> None:
        """A quorum that was not reached because members are away may be reached later."""
        num_answered = sum(one.opinion is not None for one in said)
        if num_answered >= self._spec.needed():
            return
        errors = [one.error for one in said if one.error is not None]
        message = (
            f"judge {self.name!r}: {num_answered} of {len(said)} members answered, quorum is "
            f"{self._spec.needed()}: {errors[0].message}"
        )
        if any(error.retryable for error in errors):
            raise Unavailable(message)
        raise Rejected(message)

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


async def _hear(member: Judge, case: Case, timeout_s: float) -> _Said:
    try:
        return _Said(member.name, await member.compare(case, timeout_s))
    except (Rejected, Unavailable) as error:
        return _Said(member.name, None, error)


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


def _reply(said: Sequence[_Said], opinions: Sequence[Opinion]) -> Reply:
    replies = [opinion.reply for opinion in opinions]
    versions = {r.policy_version for r in replies if r.policy_version is not None}
    return Reply(
        text="; ".join(f"{one.judge}: {one.vote().winner or one.vote().reason}" for one in said),
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        cached_tokens=sum(reply.cached_tokens for reply in replies),
        cache_write_tokens=sum(reply.cache_write_tokens for reply in replies),
        cost_usd=sum(reply.cost_usd for reply in replies),
        unpriced_calls=sum(reply.unpriced_calls for reply in replies),
        policy_version=versions.pop() if len(versions) == 1 else None,
    )
