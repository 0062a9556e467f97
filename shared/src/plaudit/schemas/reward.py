"""Contracts of the reward service. A reward that could not be computed is null, never 0."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract, FinishReason, Lane, Message
from plaudit.schemas.mixing import Mixed, Mixing

TOKEN_REWARDS = frozenset({"repetition_dense", "unit_reward_model"})
"""Those that need `token_ids`."""


class Answer(Contract):
    """The part of a completion that rewards look at."""

    text: str
    num_tokens: int | None = Field(default=None, ge=0)
    token_ids: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, max_length=2**20)
    """The policy's tokens of `text`; only rewards per token need them."""
    finish_reason: FinishReason = "stop"

    @model_validator(mode="after")
    def counts_agree(self) -> Self:
        if None not in (self.num_tokens, self.token_ids) and self.num_tokens != len(
            self.token_ids or []
        ):
            raise ValueError("num_tokens is not the number of token_ids; leave num_tokens out")
        return self

    def length_tokens(self) -> int | None:
        return self.num_tokens if self.token_ids is None else len(self.token_ids)


class RewardGroup(Contract):
    group_id: str = Field(min_length=1, max_length=256)
    prompt: list[Message]
    completions: list[Answer] = Field(min_length=1, max_length=256)
    reference: dict[str, Any] = {}


class RewardSpec(Mixed):
    name: str
    params: dict[str, Any] = {}


class ScoreRequest(Contract):
    groups: list[RewardGroup] = Field(min_length=1, max_length=1024)
    rewards: list[RewardSpec] = Field(min_length=1, max_length=64)
    mixing: Mixing = Mixing()
    lane: Lane = "train"

    @model_validator(mode="after")
    def gates_are_there(self) -> Self:
        names = [one.name for one in self.rewards]
        for index, one in enumerate(self.rewards):
            if one.gate is not None and one.gate.reward not in {*names} - {one.name}:
                asked = f"rewards.{index}.gate.reward = {one.gate.reward[:80]!r}"
                raise ValueError(f"{asked}: not another reward of this request ({names})")
        return self


class CompletionScore(Contract):
    total: float | None
    """Weighted sum over the rewards that are not null, each gated, scaled and clipped as asked;
    null when none is left."""
    rewards: dict[str, float | None]
    """As computed: not gated, scaled, clipped or weighed."""
    errors: dict[str, str] = {}
    """Why a reward is null, by reward name."""
    token_rewards: dict[str, list[float]] = {}
    """Of each reward per token: one value for each of the completion's `token_ids`, in their order
    and not weighed. `rewards` has what the completion as a whole gets."""


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
