"""Checks of an offline recipe as a whole: its batch, its model, every row and its length."""

from typing import Any

from plaudit.schemas.recipe import OfflineRecipe
from plaudit_trainer.check import check_model
from plaudit_trainer.learner.loading import load_tokenizer
from plaudit_trainer.offline.arguments import split_batch
from plaudit_trainer.offline.data import load_rows
from plaudit_trainer.offline.registry import method_of


def check_offline(recipe: OfflineRecipe) -> dict[str, Any]:
    """Raises ConfigError naming the setting, the value and the fix; else what was found."""
    split_batch(recipe, recipe.learner.num_processes)
    check_model(recipe.model)
    _, _, counts = load_rows(recipe, method_of(recipe), load_tokenizer(recipe))
    return counts["train"].told("train") | counts["eval"].told("eval")
