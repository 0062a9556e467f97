"""What a run has of a discriminator."""

from plaudit.client import RewardClient
from plaudit.reward_pools import DISCRIMINATOR_REWARD
from plaudit.schemas.recipe import DiscriminatorRecipe
from plaudit_trainer.conductor.context import Context
from plaudit_trainer.conductor.discriminator.freezer import Freezer
from plaudit_trainer.conductor.discriminator.teacher import Teacher


def of_discriminator(
    context: Context, client: RewardClient
) -> tuple[Teacher | None, Freezer | None]:
    """None where none learns from this run."""
    method = context.recipe.method
    recipe = method.discriminator or DiscriminatorRecipe()
    if method.name != "grail" or not recipe.train:
        return None, None
    kinds = next(one.kinds for one in context.recipe.rewards if one.name == DISCRIMINATOR_REWARD)
    teacher = Teacher(context, recipe, kinds, client)
    return teacher, Freezer(client, recipe.model, context.run_id)
