"""Contracts of the judge service. An unparsed verdict is null and excluded, never a loss."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract, Lane, Message

Winner = Literal["a", "b", "tie"]
Schedule = Literal["all_pairs"]
Rating = Literal["elo"]


class Usage(Contract):
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unparsed: int = 0
    first_position_wins: int = 0
    """Verdicts won by the answer shown first: the judge's position bias."""


class Vote(Contract):
    """One call of the judge. `swapped` means that b was shown first."""

    winner: Winner | None
    swapped: bool
    text: str
    policy_version: int | None = None


class PairwiseRequest(Contract):
    prompt: list[Message]
    a: str
    b: str
    reference: str | None = None
    judge: str = "self"
    rubric: str = "sr_r1"
    swap: bool = True
    """Ask in both orders; disagreement is a tie. False: one order, drawn by `seed`."""
    votes: int = Field(default=1, ge=1, le=32)
    seed: int = 0
    lane: Lane = "train"


class PairwiseResponse(Contract):
    winner: Winner | None
    p_a: float | None
    """Share of the parsed votes that a won, ties counting one half."""
    votes: list[Vote]
    usage: Usage


class TournamentRequest(Contract):
    prompt: list[Message]
    responses: list[str] = Field(min_length=1, max_length=64)
    judge: str = "self"
    rubric: str = "sr_r1"
    schedule: Schedule = "all_pairs"
    pair_ratio: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the pairs that are judged; every response keeps at least one."""
    swap: bool = False
    rating: Rating = "elo"
    elo_order: Literal["sequential", "shuffled", "batch"] = "sequential"
    elo_iterations: int = Field(default=10, ge=1, le=1000)
    elo_k: float = Field(default=16.0, gt=0.0)
    reward_min: float = 0.0
    reward_max: float = 3.0
    seed: int = 0
    lane: Lane = "train"


class Comparison(Contract):
    a: int
    b: int
    winner: Winner | None
    p_a: float | None


class TournamentResponse(Contract):
    ratings: list[float]
    rewards: list[float | None]
    """Null for every response when no verdict could be parsed."""
    comparisons: list[Comparison]
    usage: Usage


class JudgeInfo(Contract):
    name: str
    kind: str
    model: str | None = None
    available: bool
    reason: str | None = None


class JudgeList(Contract):
    judges: list[JudgeInfo]


class RubricInfo(Contract):
    name: str
    version: int
    description: str
    sha256: str


class RubricList(Contract):
    rubrics: list[RubricInfo]
