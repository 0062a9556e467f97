"""Training again on groups of earlier steps."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract


class ReplayRecipe(Contract):
    """A buffer of trained groups, one for each prompt; importance weights correct their age."""

    groups_per_step: int = Field(default=4, ge=1, le=4096)
    """Replayed beside `pipeline.groups_per_step` new ones, once the buffer has so many."""
    strategy: Literal["uniform", "priority", "ucb"] = "uniform"
    """priority: in proportion to the mean distance of a group's rewards from their mean; ucb: the
    highest mean reward + ucb_c * sqrt(ln t / n), n being how often it was trained on."""
    ucb_c: float = Field(default=1.0, ge=0.0)
    capacity: int = Field(default=4000, ge=1, le=1_000_000)
    """Groups. A full buffer gives up the one of the lowest mean reward, for a better one only."""
    max_bytes: int = Field(default=256 * 2**20, ge=2**16)
    """Of all groups as JSON: what a checkpoint grows by at most."""
    max_age_steps: int = Field(default=64, ge=1)
    """Since it was generated; an older group leaves the buffer."""
