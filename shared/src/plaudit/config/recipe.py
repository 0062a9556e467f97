"""Reading a recipe, overriding parts of it, and writing it back."""

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from plaudit.config.names import describe_errors, flatten, is_model, nearest
from plaudit.config.overrides import apply_override
from plaudit.config.toml import dump_toml, read_toml
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import (
    OFFLINE_RECIPES,
    OfflineRecipe,
    OnlineMethod,
    Recipe,
    RunRecipe,
)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of an online method in a TOML file, as `load_any_recipe`."""
    recipe = load_any_recipe(path, overrides)
    if not isinstance(recipe, Recipe):
        raise ConfigError(
            f"The recipe {path} is of another kind: it trains offline.",
            fix=f"method.name must be one of {', '.join(get_args(OnlineMethod))}",
        )
    return recipe


def load_offline_recipe(path: Path, overrides: Sequence[str] = ()) -> OfflineRecipe:
    """The recipe of an offline method in a TOML file, as `load_any_recipe`."""
    recipe = load_any_recipe(path, overrides)
    if not isinstance(recipe, OfflineRecipe):
        raise ConfigError(
            f"The recipe {path} is of another kind: it trains online.",
            fix=f"method.name must be one of {', '.join(OFFLINE_RECIPES)}",
        )
    return recipe


def load_any_recipe(path: Path, overrides: Sequence[str] = ()) -> RunRecipe:
    """The recipe in a TOML file, with `a.b=c` overrides applied in order; method.name says which.

    TOML has no null: an empty string unsets a key that may be absent (`data.eval = ""`).

    Raises:
        ConfigError: one line for each thing that is wrong, all at once.
    """
    document = read_toml(path, "The recipe")
    problems: list[str] = []
    for override in overrides:
        try:
            apply_override(document, override)
        except ConfigError as error:
            problems.append(error.message)
    kind = _kind_of(document, path)
    try:
        recipe = kind.model_validate(empty_to_none(kind, document))
    except ValidationError as error:
        problems += describe_errors(kind, error)
    if problems:
        lines = "\n".join(f"  {line}" for line in problems)
        raise ConfigError(f"The recipe {path} is wrong:\n{lines}")
    return recipe


def _kind_of(document: dict[str, Any], path: Path) -> type[RunRecipe]:
    method = document.get("method", {})
    name = method.get("name", "grpo") if isinstance(method, dict) else "grpo"
    if name in OFFLINE_RECIPES:
        return OFFLINE_RECIPES[name]
    methods = [*get_args(OnlineMethod), *OFFLINE_RECIPES]
    if name not in methods:
        guess = nearest(str(name), methods)
        raise ConfigError(
            f"The recipe {path} is wrong:\n  method.name = {name!r}: unknown.",
            fix=(f"did you mean {guess!r}? " if guess else "") + f"valid: {', '.join(methods)}",
        )
    return Recipe


def dump_recipe(recipe: RunRecipe) -> str:
    """TOML text that `load_any_recipe` reads back as an equal recipe."""
    return dump_toml(none_to_empty(recipe, recipe.model_dump()))


def empty_to_none(model: type[BaseModel], value: Any) -> Any:
    """`""` becomes None where the field may be None."""
    if not isinstance(value, dict):
        return value
    changed = dict(value)
    for name, field in model.model_fields.items():
        if name not in changed:
            continue
        inner = inner_model(field)
        if changed[name] == "" and may_be_none(field):
            changed[name] = None
        elif inner is not None and isinstance(changed[name], list):
            changed[name] = [empty_to_none(inner, item) for item in changed[name]]
        elif inner is not None:
            changed[name] = empty_to_none(inner, changed[name])
    return changed


def none_to_empty(model: BaseModel, value: dict[str, Any]) -> dict[str, Any]:
    """None is left out where it is the default, and written as `""` elsewhere."""
    changed: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        item = getattr(model, name)
        if item is None:
            if field.default is not None:
                changed[name] = ""
        elif isinstance(item, BaseModel):
            changed[name] = none_to_empty(item, value[name])
        elif isinstance(item, list) and inner_model(field) is not None:
            changed[name] = [none_to_empty(a, b) for a, b in zip(item, value[name], strict=True)]
        else:
            changed[name] = value[name]
    return changed


def inner_model(field: FieldInfo) -> type[BaseModel] | None:
    return next((kind for kind in flatten(field.annotation) if is_model(kind)), None)


def may_be_none(field: FieldInfo) -> bool:
    return types.NoneType in get_args(field.annotation)
