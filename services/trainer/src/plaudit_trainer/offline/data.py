"""The rows of both sides: what is trained on, and what is held out."""

from collections.abc import Callable
from typing import Any

from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import OfflineRecipe
from plaudit_trainer.data import Which, load_conversations, load_labelled, load_preferences
from plaudit_trainer.offline.method import OfflineMethod, Row

_LOADERS: dict[type, Callable[[OfflineRecipe, Which], list[Any]]] = {
    Conversation: load_conversations,
    Preference: load_preferences,
    Labelled: load_labelled,
}


def load_rows(
    recipe: OfflineRecipe, method: OfflineMethod, tokenizer: Any
) -> tuple[list[Row], list[Row]]:
    """Of training and of evaluation. Raises ConfigError on anything unusable."""
    train = _rows(recipe, method, tokenizer, "train")
    return train, _rows(recipe, method, tokenizer, "eval")


def _rows(recipe: OfflineRecipe, method: OfflineMethod, tokenizer: Any, which: Which) -> list[Row]:
    examples = _LOADERS[method.example](recipe, which)
    limit = recipe.eval.max_rows if which == "eval" else None
    return method.rows(recipe, tokenizer, examples[:limit], f"data.{which}")
