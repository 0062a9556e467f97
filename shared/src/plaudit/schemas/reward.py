"""Contracts of the reward service. A reward that could not be computed is null, never 0."""

from typing import Any

from pydantic import Field

from plaudit.schemas.common import Contract, FinishReason, Lane, Message


class Answer(Contract):
    """The part of a completion that rewards look at."""

    text: str
    num_tokens: int | None = Field(default=None, ge=0)
    finish_reason: FinishReason = "stop"


class RewardGroup(Contract):
    group_id: str = Field(min_length=1, max_length=256)
    prompt: list[Message]
    completions: list[Answer] = Field(min_length=1, max_length=256)
    reference: dict[str, Any] = {}


class RewardSpec(Contract):
    name: str
    weight: float = 1.0
    params: dict[str, Any] = {}


class ScoreRequest(Contract):
    groups: list[RewardGroup] = Field(min_length=1, max_length=1024)
    rewards: list[RewardSpec] = Field(min_length=1, max_length=64)
    lane: Lane = "train"


class CompletionScore(Contract):
    total: float | None
    """Weighted sum over the rewards that are not null; null when none is left."""
    rewards: dict[str, float | None]
    errors: dict[str, str] = {}
    """Why a reward is null, by reward name."""


class GroupScore(Contract):
    group_id: str
    scores: list[CompletionScore]


class ScoreResponse(Contract):
    groups: list[GroupScore]


class RewardInfo(Contract):
    name: str
    pool: str
    description: str
    source: str
    params_schema: dict[str, Any]
    available: bool = True
    reason: str | None = None


class RewardList(Contract):
    rewards: list[RewardInfo]
