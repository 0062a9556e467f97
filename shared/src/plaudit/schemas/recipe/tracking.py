"""Where a run's metrics go besides its own metrics.jsonl."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract

Name = Field(min_length=1, max_length=128)


class WandbRecipe(Contract):
    """Weights & Biases; its key comes from the environment (WANDB_API_KEY) or `wandb login`."""

    project: str = Name
    entity: str | None = None
    group: str | None = None
    mode: Literal["online", "offline"] = "online"
    """offline: kept in the run's directory, to be sent later with `wandb sync`."""


class TrackioRecipe(Contract):
    """trackio; what it keeps lies in the run's directory unless TRACKIO_DIR says otherwise."""

    project: str = Name


class TrackingRecipe(Contract):
    tensorboard: bool = False
    """Event files in `tensorboard/` of the run's directory."""
    wandb: WandbRecipe | None = None
    trackio: TrackioRecipe | None = None
