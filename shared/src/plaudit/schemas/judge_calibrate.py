"""Contract of POST /v1/calibrate: a judge against labels that people, or a ground truth, gave."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract, Lane, Message
from plaudit.schemas.judge import AskingRequest, PairwiseRequest, RubricStamp, Usage, Winner
from plaudit.schemas.judge_scores import PointwiseRequest
from plaudit.schemas.judge_statistics import Estimate, JudgedVote

MAX_ASKED_ITEMS = 2_000
MAX_GIVEN_ITEMS = 50_000
MAX_SCORE = 1e9
"""What is larger, or is no number, is no score."""

Score = Annotated[float, Field(ge=-MAX_SCORE, le=MAX_SCORE)]
GoldWinner = Winner | Annotated[list[Winner], Field(min_length=1, max_length=32)]
"""A list has a label of each annotator: the most frequent is right, equally frequent ones a tie."""
GoldScore = Score | Annotated[list[Score], Field(min_length=1, max_length=32)]
"""A list has one score of each annotator; their mean is right."""


class LabelledPair(Contract):
    prompt: list[Message]
    a: str
    b: str
    reference: str | None = None
    gold: GoldWinner


class LabelledResponse(Contract):
    prompt: list[Message]
    response: str
    reference: str | None = None
    gold: GoldScore


class LabelledVerdict(Contract):
    """A pair that the judge was asked about before."""

    gold: GoldWinner
    winner: Winner | None
    votes: list[JudgedVote] = Field(default=[], max_length=64)


class LabelledGrade(Contract):
    """A response that the judge was asked about before."""

    gold: GoldScore
    score: Score | None


def _usual_rubric(earlier_fields: dict[str, Any]) -> str:
    usual = PointwiseRequest if earlier_fields.get("responses") else PairwiseRequest
    return str(usual.model_fields["rubric"].default)


class CalibrateRequest(AskingRequest):
    """One of the four lists. For `pairs` and `responses` the judge is asked, all within one
    request's deadline; for `verdicts` and `grades` nobody is."""

    pairs: list[LabelledPair] = Field(default=[], max_length=MAX_ASKED_ITEMS)
    responses: list[LabelledResponse] = Field(default=[], max_length=MAX_ASKED_ITEMS)
    verdicts: list[LabelledVerdict] = Field(default=[], max_length=MAX_GIVEN_ITEMS)
    grades: list[LabelledGrade] = Field(default=[], max_length=MAX_GIVEN_ITEMS)
    lane: Lane = "eval"
    rubric: str = Field(default_factory=_usual_rubric)
    """By default that of POST /v1/pointwise for `responses`, else that of POST /v1/pairwise."""
    swap: bool = True
    """Pairs: ask in both orders."""
    votes: int = Field(default=1, ge=1, le=32)
    cache: bool = True
    """Take verdicts that were given before."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the judge's draws, and of the resamples that bootstrap intervals come from."""

    @model_validator(mode="after")
    def has_one_list(self) -> Self:
        lists = ("pairs", "responses", "verdicts", "grades")
        given = [name for name in lists if getattr(self, name)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"needs one of {', '.join(lists)}, not empty; it has {found}")
        return self

    def asks(self) -> bool:
        """The judge is to be asked."""
        return bool(self.pairs or self.responses)


class VerdictCounts(Contract):
    """What the judge said."""

    a: int = 0
    b: int = 0
    tie: int = 0
    unparsed: int = 0


class WinnerAgreement(Contract):
    """Of the pairs with a verdict. Null is what they say nothing about."""

    accuracy: Estimate | None
    """Verdicts that are the label, ties being a class of their own; Wilson."""
    accuracy_without_ties: Estimate | None
    """The same, of the pairs in which neither is a tie."""
    cohen_kappa: Estimate | None
    """Of verdict and label; bootstrap."""
    krippendorff_alpha: Estimate | None
    """Nominal, of the judge and all annotators; bootstrap."""
    annotators_alpha: Estimate | None
    """The same without the judge: how far people agree among themselves."""
    flip_rate: Estimate | None
    """Of the pairs with a verdict in each order: the orders disagree; Wilson."""
    first_position_rate: Estimate | None
    """Of the votes that are no tie: won by the answer shown first; Wilson."""
    confusion: dict[Winner, VerdictCounts]
    """By label."""


class ScoreAgreement(Contract):
    """Of the responses with a score; bootstrap. Null is what they say nothing about."""

    pearson: Estimate | None
    spearman: Estimate | None
    krippendorff_alpha: Estimate | None
    """Interval, of the judge and all annotators: says something on one scale only."""
    annotators_alpha: Estimate | None
    """The same without the judge."""


class CalibrateResponse(Contract):
    num_items: int
    unparsed: int
    """Items without a verdict, or score: left out of every agreement."""
    winners: WinnerAgreement | None = None
    """Of `pairs` and `verdicts`."""
    scores: ScoreAgreement | None = None
    """Of `responses` and `grades`."""
    rubric: RubricStamp | None = None
    """Null when nobody was asked, and for a judge that reads none."""
    usage: Usage
