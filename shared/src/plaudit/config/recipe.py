"""Reading a recipe, overriding parts of it, and writing it back."""

import tomllib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from plaudit.config.names import describe_errors, flatten, is_model
from plaudit.config.overrides import apply_override
from plaudit.config.toml import dump_toml
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file, with `a.b=c` overrides applied in order.

    TOML has no null: an empty string unsets a key that may be absent (`data.eval = ""`).

    Raises:
        ConfigError: one line for each thing that is wrong, all at once.
    """
    document = read_recipe_file(path)
    problems: list[str] = []
    for override in overrides:
        try:
            apply_override(document, override)
        except ConfigError as error:
            problems.append(error.message)
    try:
        recipe = Recipe.model_validate(empty_to_none(Recipe, document))
    except ValidationError as error:
        problems += describe_errors(Recipe, error)
    if problems:
        lines = "\n".join(f"  {line}" for line in problems)
        raise ConfigError(f"The recipe {path} is wrong:\n{lines}")
    return recipe


def read_recipe_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The recipe {path} cannot be read: {error}.", fix="name a recipe file (TOML)."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The recipe {path} is not valid TOML: {error}.", fix="correct that line."
        ) from error


def dump_recipe(recipe: Recipe) -> str:
    """TOML text that `load_recipe` reads back as an equal recipe."""
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
