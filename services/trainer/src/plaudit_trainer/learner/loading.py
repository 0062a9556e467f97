"""The model and the tokenizer that a recipe names."""

from typing import TYPE_CHECKING, cast

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import RunRecipe
from plaudit_trainer.learner.lora import put_on_lora
from plaudit_trainer.model_path import check_model_path

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(recipe: RunRecipe) -> "PreTrainedModel":
    """In float32 whatever the recipe says: small updates vanish in bfloat16 weights.

    `model.dtype = "bfloat16"` computes and publishes in bfloat16. With `[model.lora]` only its
    adapters are trained. Raises ConfigError.
    """
    import torch
    from transformers import AutoModelForCausalLM

    path = recipe.model.path
    check_model_path(path)
    try:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {path!r}: the model cannot be loaded: {str(error).strip()[:500]}",
            fix="give a model directory or a hub id that can be reached",
        ) from error
    if recipe.model.lora is None:
        return model
    return cast("PreTrainedModel", put_on_lora(model, recipe.model.lora, recipe.seed))


def load_tokenizer(recipe: RunRecipe) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    check_model_path(recipe.model.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(recipe.model.path, padding_side="left")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {recipe.model.path!r}: the tokenizer cannot be loaded: "
            f"{str(error).strip()[:500]}",
            fix="give a model directory or a hub id that can be reached",
        ) from error
    return tokenizer
