"""Checks of a recipe as a whole: its model, its rows, the length of every prompt, its batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import ModelRecipe, Recipe
from plaudit_trainer.data import Row, load_rows
from plaudit_trainer.learner.arguments import split_batch
from plaudit_trainer.learner.loss_check import check_loss
from plaudit_trainer.method_check import check_method
from plaudit_trainer.model_path import check_model_path


def check_recipe(recipe: Recipe) -> dict[str, Any]:
    """Raises ConfigError naming the setting, the value and the fix; else what was found."""
    check_loss(recipe)
    check_method(recipe)
    split_batch(recipe, recipe.learner.num_processes)
    rows = load_rows(recipe)
    eval_rows = load_rows(recipe, "eval")
    found: dict[str, Any] = {"num_train_rows": len(rows), "num_eval_rows": len(eval_rows)}
    rows = [*rows, *eval_rows]
    _check_kinds(recipe, rows)
    check_context(recipe.model)
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


def check_context(model: ModelRecipe) -> None:
    """Raises ConfigError. vLLM refuses a context beyond the model's own, but only once it has loaded for a while."""
    from transformers import AutoConfig

    check_model_path(model.path)
    with _loading(model.path, "configuration"):
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
    tokenizer = _tokenizer(recipe.model.path)
    limit = recipe.model.max_model_tokens - recipe.method.max_completion_tokens
    lengths = ((_num_tokens(tokenizer, row, recipe.model.path), row) for row in rows)
    longest, row = max(lengths, key=lambda pair: pair[0])
    if longest > limit:
        raise ConfigError(
            f"model.max_model_tokens = {recipe.model.max_model_tokens} less "
            f"method.max_completion_tokens = {recipe.method.max_completion_tokens} leaves {limit} "
            f"tokens for a prompt; the prompt of row {row.id!r} has {longest}.",
            fix="raise max_model_tokens, lower max_completion_tokens, or drop that row",
        )
    return longest


def _num_tokens(tokenizer: Any, row: Row, path: str) -> int:
    from jinja2 import TemplateError

    messages = [message.model_dump() for message in row.prompt]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except (TemplateError, ValueError) as error:
        raise ConfigError(
            f"model.path = {path!r}: its chat template does not take the prompt of row "
            f"{row.id!r} ({_first_line(error)}).",
            fix="give a model with a chat template, or change the roles of that prompt "
            "(data.system_prompt puts one of the role 'system' first)",
        ) from error
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _tokenizer(path: str) -> Any:
    from transformers import AutoTokenizer

    with _loading(path, "tokenizer"):
        return AutoTokenizer.from_pretrained(path)


@contextmanager
def _loading(path: str, what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {path!r}: the {what} cannot be loaded ({_first_line(error)}).",
            fix="give a model directory, a hub id that can be reached, or 'seed'",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
