"""The model and the tokenizer that a recipe names."""

from pathlib import Path
from typing import TYPE_CHECKING

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(recipe: Recipe) -> "PreTrainedModel":
    """In float32 whatever the recipe says: small updates vanish in bfloat16 weights.

    `model.dtype = "bfloat16"` computes and publishes in bfloat16. Raises ConfigError.
    """
    import torch
    from transformers import AutoModelForCausalLM

    path = recipe.model.path
    if path.startswith(("/", ".")) and not (Path(path) / "config.json").is_file():
        raise ConfigError(
            f"model.path = {path!r}: no model is there (config.json is missing).",
            fix="give a model directory, a hub id, or 'seed'",
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {path!r}: the model cannot be loaded: {str(error).strip()[:500]}",
            fix="give a model directory or a hub id that can be reached",
        ) from error
    return model


def load_tokenizer(recipe: Recipe) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(recipe.model.path, padding_side="left")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {recipe.model.path!r}: the tokenizer cannot be loaded: "
            f"{str(error).strip()[:500]}",
            fix="give a model directory or a hub id that can be reached",
        ) from error
    return tokenizer
