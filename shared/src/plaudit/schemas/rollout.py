"""Contracts of the rollout service: prompts in, groups of completions out."""

from typing import Annotated, Any

from pydantic import Field

from plaudit.schemas.common import MAX_TEMPERATURE, Contract, FinishReason, Lane, Message

MAX_GROUPS_PER_REQUEST = 256
MAX_COMPLETIONS = 256


class Sampling(Contract):
    """How completions are drawn. Log-probabilities are those at this temperature."""

    temperature: float = Field(default=1.0, ge=0.0, le=MAX_TEMPERATURE)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(default=0, ge=0)
    """0 keeps every token."""
    max_tokens: int = Field(default=256, ge=1)
    seed: int | None = None
    entropies: bool = False
    """Also give the entropy at each token."""


class RolloutPrompt(Contract):
    """One group to generate: `n` completions of one prompt."""

    group_id: str = Field(min_length=1, max_length=256)
    prompt: list[Message] = Field(min_length=1)
    n: int = Field(ge=1, le=MAX_COMPLETIONS)
    sampling: Sampling = Sampling()
    reference: dict[str, Any] = {}


class RolloutRequest(Contract):
    run_id: str = Field(min_length=1, max_length=128)
    groups: list[RolloutPrompt] = Field(min_length=1, max_length=MAX_GROUPS_PER_REQUEST)
    lane: Lane = "train"


class RolloutAccepted(Contract):
    accepted: list[str]
    existing: list[str]
    """Group ids submitted before: their work goes on, or their results wait to be leased."""


class Completion(Contract):
    """One sampled answer. `token_ids` and `logprobs` have the same length."""

    text: str
    token_ids: list[int]
    logprobs: list[float]
    entropies: list[float] | None = None
    """Nats; of the distribution that each token was drawn from: that of the 20 likeliest tokens
    and the rest as one, which is at most the true entropy."""
    finish_reason: FinishReason
    policy_versions: list[int]
    """Every version that may have produced a token, oldest first."""


class RolloutGroup(Contract):
    """A finished group, or one that could not be generated (`error`, no completions)."""

    run_id: str
    group_id: str
    prompt: list[Message]
    prompt_token_ids: list[int]
    reference: dict[str, Any]
    completions: list[Completion]
    error: str | None = None
    replica_id: str
    queued_s: float = 0.0
    generate_s: float = 0.0


class FinishedRollouts(Contract):
    groups: list[RolloutGroup]


class RolloutAck(Contract):
    run_id: str
    group_ids: list[str] = Field(min_length=1, max_length=4096)


class RolloutAcked(Contract):
    acked: Annotated[int, Field(ge=0)]
