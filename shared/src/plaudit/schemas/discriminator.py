"""Contracts of the discriminator, the reward that learns while a policy is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plaudit.reward_pools import DEFAULT_MODEL
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup

MAX_EXAMPLES = 4096
MAX_STEPS = 64
MAX_FREEZE_S = 7 * 86_400.0

DiscriminatorName = Annotated[str, Field(min_length=1, max_length=40)]


class Example(Contract):
    """Either `text`, the whole of what is classified, or an `action` and where it was taken."""

    label: Literal[0, 1]
    """1: the expert's, 0: the policy's."""
    text: str | None = Field(default=None, max_length=2**20)
    action: str | None = Field(default=None, max_length=2**20)
    viewer: str = Field(default="", max_length=2**20)
    state: str = Field(default="", max_length=2**20)
    options: list[str] = Field(default=[], max_length=1024)

    @model_validator(mode="after")
    def one_form(self) -> Self:
        if (self.text is None) == (self.action is None):
            raise ValueError("give text or action, and not both")
        if self.text is not None and (self.viewer or self.state or self.options):
            raise ValueError("viewer, state and options belong to action, not to text")
        return self


class DiscriminatorUpdate(Contract):
    """From each group, the reference's action is the expert's; what the policy chose otherwise is
    the policy's. What it chose as the expert did is no example at all."""

    discriminator: DiscriminatorName = DEFAULT_MODEL
    examples: list[Example] = Field(default=[], max_length=MAX_EXAMPLES)
    groups: list[RewardGroup] = Field(default=[], max_length=1024)
    steps: int = Field(default=1, ge=1, le=MAX_STEPS)
    """Of the optimiser, each over all examples."""

    @model_validator(mode="after")
    def something_to_learn_from(self) -> Self:
        if not self.examples and not self.groups:
            raise ValueError("give examples, groups, or both")
        return self


class DiscriminatorUpdated(Contract):
    """`loss`, `accuracy`, `separation`: before the last step; null where nothing was learned."""

    discriminator: str
    version: int
    """Of the weights afterwards; the same as before where there was no example."""
    loss: float | None
    accuracy: float | None
    separation: float | None = None
    """Mean D of the expert's actions less that of all answers of the policy, right ones among
    them: 0 once it does as the expert. Null without one of either."""
    num_positives: int
    num_negatives: int
    num_left_out: int
    """Groups without a situation or an expert's action, choices that are none, texts that have no
    tokens of the model."""


class DiscriminatorFreeze(Contract):
    """Each owner's freeze is its own: to give one up restores what the others want."""

    discriminator: DiscriminatorName = DEFAULT_MODEL
    owner: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$")
    frozen: bool = True
    """False: give this owner's freeze up."""
    lease_s: float | None = Field(default=600.0, gt=0.0, le=MAX_FREEZE_S)
    """It ends by itself then, unless it is asked for again; null: when it is given up."""


class DiscriminatorFrozen(Contract):
    discriminator: str
    frozen: bool
    owners: list[str]
