"""What a run with units scores its groups with."""

import asyncio

from plaudit.client import RewardClient
from plaudit.schemas.recipe import DrcaRecipe, Recipe
from plaudit_trainer.conductor.scoring import Scorer
from plaudit_trainer.conductor.units.counterfactuals import Counterfactuals
from plaudit_trainer.conductor.units.detokenizer import load_detokenizer
from plaudit_trainer.conductor.units.scorer import UnitScorer


async def with_units(recipe: Recipe, scorer: Scorer, client: RewardClient) -> UnitScorer:
    """Loads the policy's tokenizer. Raises ConfigError."""
    detokenizer = await asyncio.to_thread(load_detokenizer, recipe.model.path)
    drca = recipe.method.drca or DrcaRecipe()
    return UnitScorer(scorer, Counterfactuals(drca, recipe.pipeline, detokenizer, client))
