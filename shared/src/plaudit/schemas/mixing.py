"""How the rewards of a completion become one number: the same in a request and in a recipe."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract

Number = Annotated[float, Field(allow_inf_nan=False)]

DEFAULT_WEIGHTS = {"discriminator": 0.5}
"""Of rewards that do not weigh 1 when nothing is said: GRAIL's GAIL_WEIGHT."""


class Gate(Contract):
    """The reward counts only for completions to which another one gave enough."""

    reward: str
    """Name of that other reward of the same request or recipe."""
    at_least: Number


class Mixed(Contract):
    """The part that one reward has in the total: gate, then scale, then clip, then weight."""

    weight: Number = 1.0
    scale: Literal["none", "group", "batch"] = "none"
    """z-score over the group, or over all groups of the request or step; gated-out values do not
    enter it."""
    clip: tuple[Number, Number] | None = None
    """Lowest and highest value, after scaling."""
    gate: Gate | None = None
    """Where it is shut the reward counts 0; where the other reward is null, so is this one."""

    @model_validator(mode="before")
    @classmethod
    def default_weight(cls, values: Any) -> Any:
        if isinstance(values, dict) and "weight" not in values:
            weight = DEFAULT_WEIGHTS.get(str(values.get("name")))
            return values if weight is None else values | {"weight": weight}
        return values

    @model_validator(mode="after")
    def clip_is_a_range(self) -> Self:
        if self.clip is not None and self.clip[0] > self.clip[1]:
            raise ValueError(f"clip = {list(self.clip)}: the lowest value stands first")
        return self


class Mixing(Contract):
    """What holds for all rewards together."""

    normalize_weights: bool = False
    """Negative weights become 0, and all are divided by their sum (as GRAIL does)."""


class RecipeMixing(Mixing):
    learnable: bool = False
    """Weights become softmax(logits), learned to raise the mean reward. They drift to whichever
    reward has the highest mean, which is easy to game: an experiment, not a default."""
    learning_rate: float = Field(default=0.05, gt=0.0, le=10.0)
    """Of Adam on these logits."""
