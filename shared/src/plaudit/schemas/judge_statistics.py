"""Contract of POST /v1/statistics: what the verdicts of one judge say about that judge."""

from typing import Self

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.judge import Vote, Winner

MAX_STATISTICS_PAIRS = 50_000


class JudgedVote(Contract):
    """One call of the judge. `swapped` means that b was shown first."""

    winner: Winner | None
    swapped: bool

    @classmethod
    def of(cls, vote: Vote) -> Self:
        return cls(winner=vote.winner, swapped=vote.swapped)


class JudgedPair(Contract):
    """Two answers to one prompt, and what the judge said of them."""

    winner: Winner | None
    """Null without a parsed vote."""
    votes: list[JudgedVote] = Field(default=[], max_length=64)
    num_chars_a: int | None = Field(default=None, ge=0)
    num_chars_b: int | None = Field(default=None, ge=0)
    correct_a: bool | None = None
    correct_b: bool | None = None


class StatisticsRequest(Contract):
    """One judge's pairs."""

    pairs: list[JudgedPair] = Field(min_length=1, max_length=MAX_STATISTICS_PAIRS)
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the resamples that bootstrap intervals come from."""


class Estimate(Contract):
    """With a 95 % interval."""

    value: float
    low: float
    high: float
    num_items: int
    """How many pairs, or responses, it is made of."""


class StatisticsResponse(Contract):
    """Null is what these pairs say nothing about. Intervals: Wilson's, unless said otherwise."""

    num_pairs: int
    num_votes: int
    unparsed_rate: Estimate | None
    """Of the votes: no verdict could be read."""
    first_position_rate: Estimate | None
    """Of the votes that are no tie: won by the answer shown first. 1/2 without bias, where both
    orders are asked equally often."""
    flip_rate: Estimate | None
    """Of the pairs with a verdict in each order: the orders disagree."""
    tie_rate: Estimate | None
    """Of the pairs with a winner."""
    win_rate: Estimate | None
    """Of a, over the pairs with a winner; a tie counts one half."""
    length_correlation: Estimate | None
    """Spearman's, of a's points (1, 1/2, 0) with its additional characters; bootstrap."""
    length_controlled_win_rate: Estimate | None
    """Of a, if both answers were of one length; from the fit's curvature."""
    correctness_agreement: Estimate | None
    """Of the pairs with a winner and one correct answer: that one won."""
