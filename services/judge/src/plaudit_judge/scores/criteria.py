"""The criteria of a rubric, and the score that comes of theirs."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.judge import CriterionInfo, Scale
from plaudit.schemas.judge_scores import CriterionScore, Grade

DEFAULT_SCALE = Scale(min=1.0, max=5.0)


def on_scale(number: float, scale: Scale) -> float | None:
    """A number off the scale is no score; it is never moved onto it."""
    return number if scale.min <= number <= scale.max else None


class Criterion(Contract):
    """`points` make the rubric additive: 0 to so many for this criterion, and the sum counts."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]+(_[a-z0-9]+)*$", max_length=40)
    description: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0.0, le=1e6)
    points: float | None = Field(default=None, gt=0.0, le=1000.0)


class Criteria:
    """Either all have points, or none has, and each is scored on the one scale."""

    def __init__(self, items: Sequence[Criterion], scale: Scale | None) -> None:
        """Raises ValueError: they do not go together."""
        self.items = items
        self.is_additive = bool(items) and all(item.points is not None for item in items)
        self._scale = scale or DEFAULT_SCALE
        if len({item.name for item in items}) < len(items):
            raise ValueError("criteria: a name is given twice")
        if not self.is_additive and any(item.points is not None for item in items):
            raise ValueError("criteria: give points to all of them, or none")
        if self.is_additive and (scale or any(item.weight != 1.0 for item in items)):
            raise ValueError("criteria with points have neither a scale nor weights")
        if scale is not None and not items:
            raise ValueError("scale: there are no criteria to be scored on it")
        if not self._scale.min < self._scale.max:
            raise ValueError(f"scale: min {self._scale.min:g} is not below max {self._scale.max:g}")

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.items]

    @property
    def total(self) -> Scale:
        """Of the whole score."""
        if self.is_additive:
            return Scale(min=0.0, max=sum(item.points or 0.0 for item in self.items))
        return self._scale

    def scale_of(self, item: Criterion) -> Scale:
        return Scale(min=0.0, max=item.points) if item.points is not None else self._scale

    def scales(self) -> dict[str, Scale]:
        return {item.name: self.scale_of(item) for item in self.items}

    def info(self) -> list[CriterionInfo]:
        return [
            CriterionInfo(
                name=item.name,
                description=item.description,
                weight=item.weight,
                scale=self.scale_of(item),
            )
            for item in self.items
        ]

    def grade(self, scores: Mapping[str, float | None], reason: str) -> Grade:
        """One missing criterion leaves the whole without a score; it is never counted as 0."""
        parts = [
            CriterionScore(name=item.name, score=scores.get(item.name), weight=item.weight)
            for item in self.items
        ]
        missing = [part.name for part in parts if part.score is None]
        if missing:
            reason = f"No score on the scale for {', '.join(missing)}. {reason}".rstrip()
            return Grade(score=None, fraction=None, criteria=parts, reason=reason)
        score = self._combine([part.score or 0.0 for part in parts])
        return Grade(score=score, fraction=self.fraction(score), criteria=parts, reason=reason)

    def _combine(self, scores: Sequence[float]) -> float:
        if self.is_additive:
            return sum(scores)
        return fmean(scores, [item.weight for item in self.items])

    def fraction(self, score: float) -> float:
        return (score - self.total.min) / (self.total.max - self.total.min)

    def score_at(self, fraction: float) -> float:
        return self.total.min + fraction * (self.total.max - self.total.min)
