"""What recipes of every method have."""

from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.recipe.data import DataRecipe
from plaudit.schemas.recipe.hub import HubRecipe
from plaudit.schemas.recipe.learner import LearnerRecipe
from plaudit.schemas.recipe.model import ModelRecipe
from plaudit.schemas.recipe.tracking import TrackingRecipe


class BudgetRecipe(Contract):
    steps: int = Field(default=100, ge=0)
    """0, for online methods: evaluate the model as it is, and train nothing."""
    checkpoint_every_steps: int = Field(default=10, ge=1)
    keep_checkpoints: int = Field(default=2, ge=1)
    best_by: str | None = None
    """A figure of metrics.jsonl (reward, rewards/accuracy/mean, eval/accuracy): the checkpoint with
    the best mean of it since the one before is kept, too, as checkpoints/best."""
    best_is: Literal["highest", "lowest"] = "highest"
    keep_policies: int = Field(default=4, ge=2)


class RunRecipe(Contract):
    """The common part; `method.name` says which recipe it is."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    seed: int = 0
    model: ModelRecipe = ModelRecipe()
    data: DataRecipe = DataRecipe()
    budget: BudgetRecipe = BudgetRecipe()
    learner: LearnerRecipe = LearnerRecipe()
    tracking: TrackingRecipe = TrackingRecipe()
    hub: HubRecipe | None = None
