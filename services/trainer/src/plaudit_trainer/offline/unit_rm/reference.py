"""The language model whose entropy ends segments."""

from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import UnitRewardModelRecipe
from plaudit_trainer.model_path import check_model_path


def load_reference(recipe: UnitRewardModelRecipe, tokenizer: Any) -> PreTrainedModel:
    """It does not learn. Raises ConfigError."""
    path = recipe.method.reference_path or recipe.model.path
    check_model_path(path, "method.reference_path")
    try:
        reference: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=getattr(torch, recipe.model.dtype)
        )
        own = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"method.reference_path = {path!r}: it cannot be loaded: {str(error).strip()[:500]}",
            fix="give the directory or hub id of a causal language model, or leave it out",
        ) from error
    if own.get_vocab() != tokenizer.get_vocab():
        raise ConfigError(
            f"method.reference_path = {path!r}: another tokenizer than model.path = "
            f"{recipe.model.path!r} has.",
            fix="name the language model that the reward model starts from",
        )
    return cast(PreTrainedModel, reference.eval().requires_grad_(False))
