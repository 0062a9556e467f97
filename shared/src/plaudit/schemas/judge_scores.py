"""Contracts of pointwise and listwise judging: scores by a rubric's criteria, not comparisons."""

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.judge import RubricStamp, Usage, VerdictRequest


class CriterionScore(Contract):
    """`score` is null when the judge gave none that can be read, or one off the scale."""

    name: str
    score: float | None
    weight: float


class Grade(Contract):
    """Of one answer, by one call of the judge."""

    score: float | None
    """Weighted mean of the criteria, or the sum of their points; null when one of them is missing.
    Of a judge that gives rewards: the reward."""
    fraction: float | None
    """`score` from the bottom (0) to the top (1) of the scale; null where there is no scale."""
    criteria: list[CriterionScore] = []
    """Empty for a jury, and for a judge that gives rewards."""
    reason: str = ""
    """The judge's own words, or why there is no score."""
    disagreement: float | None = None
    """Of a jury: the standard deviation of its members' fractions."""


class PointwiseRequest(VerdictRequest):
    response: str
    reference: str | None = None
    rubric: str = "helpfulness"
    votes: int = Field(default=1, ge=1, le=32)
    """Calls whose parsed scores are averaged."""
    seed: int = 0


class PointwiseResponse(Contract):
    score: float | None
    """Mean of the parsed votes; null without one."""
    fraction: float | None
    reason: str
    """Of the first parsed vote; why there is no score otherwise."""
    votes: list[Grade]
    policy_version: int | None = None
    rubric: RubricStamp | None = None
    usage: Usage


class ListwiseRequest(VerdictRequest):
    """All answers are shown in one call, in an order drawn by `seed`."""

    responses: list[str] = Field(min_length=2, max_length=26)
    """One letter each."""
    reference: str | None = None
    rubric: str = "helpfulness"
    votes: int = Field(default=1, ge=1, le=32)
    """Calls, each with an order of its own, whose parsed scores are averaged."""
    seed: int = 0


class ListwiseResponse(Contract):
    scores: list[float | None]
    """Mean over the parsed votes, in the order of the request."""
    fractions: list[float | None]
    ranks: list[float | None]
    """1 is the best; equal scores share the mean rank; null without a score."""
    votes: list[list[Grade]]
    """Call by call, each in the order of the request."""
    orders: list[list[int]]
    """Call by call, which response was shown in each place."""
    texts: list[str]
    """Call by call, the judge's own words."""
    policy_version: int | None = None
    rubric: RubricStamp | None = None
    usage: Usage
