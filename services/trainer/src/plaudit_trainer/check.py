"""Checks of a recipe as a whole: its model, its rows, the length of every prompt, its batches."""

from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import ModelRecipe, Recipe
from plaudit_trainer.data import Row, load
from plaudit_trainer.data.formats import ROWS
from plaudit_trainer.data.lengths import max_tokens
from plaudit_trainer.data.rendering import load_tokenizer, loading, num_tokens
from plaudit_trainer.learner.arguments import split_batch
from plaudit_trainer.learner.lora import check_lora
from plaudit_trainer.learner.loss_check import check_loss
from plaudit_trainer.method_check import check_method
from plaudit_trainer.model_path import check_model_path
from plaudit_trainer.tokenizer_check import check_tokenizers


def check_recipe(recipe: Recipe) -> dict[str, Any]:
    """Raises ConfigError naming the setting, the value and the fix; else what was found."""
    check_loss(recipe)
    check_method(recipe)
    split_batch(recipe, recipe.learner.num_processes)
    train, held_out = load(ROWS, recipe, "train"), load(ROWS, recipe, "eval")
    found = train.counts.told("train") | held_out.counts.told("eval")
    rows = [*train.rows, *held_out.rows]
    _check_kinds(recipe, rows)
    check_model(recipe.model)
    check_tokenizers(recipe)
    found["longest_prompt_tokens"] = _check_lengths(recipe, rows)
    return found


def _check_kinds(recipe: Recipe, rows: list[Row]) -> None:
    present = sorted({row.kind for row in rows})
    places = [(f"rewards.{i}.kinds", r.kinds) for i, r in enumerate(recipe.rewards)]
    if recipe.judge is not None:
        places.append(("judge.kinds", recipe.judge.kinds))
    places.append(("eval.reward_by_kind", list(recipe.eval.reward_by_kind)))
    for setting, kinds in places:
        for kind in kinds or []:
            if kind not in present:
                raise ConfigError(
                    f"{setting} names the kind {kind!r}; the rows have {present}.",
                    fix="name one of those",
                )
    scored = [kinds for setting, kinds in places[:-1]]
    for kind in present:
        if not any(kinds is None or kind in kinds for kinds in scored):
            raise ConfigError(
                f"rewards: no reward and no judge scores rows of the kind {kind!r}.",
                fix="add it to the `kinds` of one",
            )


def check_model(model: ModelRecipe) -> None:
    """Raises ConfigError."""
    if model.lora is not None:
        check_lora(model.lora)
    _check_context(model)


def _check_context(model: ModelRecipe) -> None:
    """Raises ConfigError. vLLM refuses a context beyond the model's own, but only once loaded."""
    from transformers import AutoConfig

    check_model_path(model.path)
    with loading(model.path, "configuration"):
        config = AutoConfig.from_pretrained(model.path).to_dict()
    rope = config.get("rope_parameters") or {}
    longest = config.get("max_position_embeddings")
    is_stretched = rope.get("rope_type", "default") != "default"
    if longest is not None and not is_stretched and model.max_model_tokens > longest:
        raise ConfigError(
            f"model.max_model_tokens = {model.max_model_tokens}: the model {model.path!r} has a "
            f"context of {longest} tokens (max_position_embeddings).",
            fix=f"set it to {longest} or less",
        )


def _check_lengths(recipe: Recipe, rows: list[Row]) -> int:
    tokenizer, limit = load_tokenizer(recipe.model.path), max_tokens(recipe)
    lengths = ((num_tokens(tokenizer, row, f"row {row.id!r}"), row) for row in rows)
    longest, row = max(lengths, key=lambda pair: pair[0])
    if longest > limit:
        raise ConfigError(
            f"model.max_model_tokens = {recipe.model.max_model_tokens} less "
            f"method.max_completion_tokens = {recipe.method.max_completion_tokens} leaves {limit} "
            f"tokens for a prompt; the prompt of row {row.id!r} has {longest}.",
            fix="raise max_model_tokens, lower max_completion_tokens, or set data.too_long to "
            "'drop' or 'truncate'",
        )
    return longest
