"""`POST /get_reward`: what goes there and what comes back."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plaudit.schemas.common import Contract

MAX_QUERIES = 16_384


class GetReward(Contract):
    """All lists are equally long, and empty ones are fine: OpenRLHF sends those to servers for
    which it has nothing left."""

    query: list[str] = Field(max_length=MAX_QUERIES)
    """Prompt and completion as one text, special tokens included."""
    prompts: list[str] | None = None
    labels: list[Any] | None = None
    """`reference.answer`, or where it is an object, the whole reference."""

    @model_validator(mode="after")
    def are_equally_long(self) -> Self:
        for name, values in (("prompts", self.prompts), ("labels", self.labels)):
            if values is not None and len(values) != len(self.query):
                raise ValueError(f"{len(self.query)} query, but {len(values)} {name}")
        return self


class GotReward(Contract):
    rewards: list[float]
    scores: list[float]
    """The same; OpenRLHF filters prompts by them."""
    extra_logs: dict[str, list[float]]
    """Every reward by its name, and `missing`: 1 where `openrlhf_missing` stands in."""


class RemoteRewards(BaseModel):
    """What another server gives; what it adds is of no interest."""

    model_config = ConfigDict(extra="ignore")

    rewards: list[float | None] | None = None
    scores: list[float | None] | None = None
