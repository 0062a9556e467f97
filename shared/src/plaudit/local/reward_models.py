"""Reward models that a recipe brings along, for the reward service that its run starts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plaudit.local.environment import REWARD_MODELS_SETTING, Environment
from plaudit.schemas.recipe import Recipe

Tables = dict[str, dict[str, Any]]
PATHS = ("path", "reference_path")
"""What of a table may be `seed`, or relative."""
_DISCRIMINATORS = "discriminators"


def models_env(recipe: Recipe, environment: Environment, run_dir: Path | None) -> dict[str, str]:
    """The setting of its workers: their own models, and over them the recipe's.

    A discriminator keeps its versions in the run's directory unless its table names another.
    """
    if not recipe.reward_models:
        return {}
    tables = dict(recipe.reward_models)
    for name, table in tables.items():
        if table.get("kind") == "discriminator" and run_dir is not None:
            directory = run_dir.absolute() / _DISCRIMINATORS / name
            tables[name] = {"directory": str(directory), **table}
    return {REWARD_MODELS_SETTING: json.dumps({**environment.reward_model_tables, **tables})}


def paths_of(tables: Tables) -> set[str]:
    return {table[key] for table in tables.values() for key in PATHS if _is_path(table.get(key))}


def with_paths(tables: Tables, change: Callable[[str], str]) -> Tables:
    return {
        name: {
            key: change(value) if key in PATHS and _is_path(value) else value
            for key, value in table.items()
        }
        for name, table in tables.items()
    }


def _is_path(value: Any) -> bool:
    """Whatever else it is, the reward service says what is wrong with it."""
    return isinstance(value, str)
