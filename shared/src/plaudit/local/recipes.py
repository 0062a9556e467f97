"""Finding a recipe, and putting real places where it says `seed`."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from plaudit.config.recipe import load_any_recipe, load_recipe
from plaudit.data_names import is_hub_name
from plaudit.errors import ConfigError
from plaudit.local.data_paths import SEED, SEEDS, existing, file_path
from plaudit.local.data_paths import with_absolute_paths as data_with_absolute_paths
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.reward_models import paths_of, with_paths
from plaudit.local.tool import run_tool
from plaudit.local.user_code import check_user_code, with_absolute_names
from plaudit.schemas.recipe import OfflineRecipe, Recipe, RunRecipe

SEED_EXAMPLES = {
    "sft": "conversations",
    "dpo": "preferences",
    "rm": "preferences",
    "unit_rm": "preferences",
    "kto": "labelled",
}
"""What the seed's task offers to each offline method."""

AnyRecipe = TypeVar("AnyRecipe", bound=RunRecipe)


def shipped_recipes() -> dict[str, Path]:
    """Recipes that come with the trainer, by name."""
    return shipped("recipes")


def shipped(folder: str) -> dict[str, Path]:
    """TOML files that come with the trainer, by name. Nothing of it is imported."""
    spec = importlib.util.find_spec("plaudit_trainer")
    places = (spec.submodule_search_locations or []) if spec else []
    return {
        path.stem: path
        for place in places
        for path in sorted((Path(place) / folder).glob("*.toml"))
    }


def find_recipe(name: str) -> Path:
    """A file, or the name of a shipped recipe. Raises ConfigError when it is neither."""
    path = Path(name)
    if path.is_file():
        return path
    known = shipped_recipes()
    if name in known:
        return known[name]
    raise ConfigError(
        f"RECIPE {name!r}: no such file, and no recipe of that name comes with Plaudit.",
        fix=f"give a TOML file or one of: {', '.join(known) or 'none is installed'}",
    )


def read_any_recipe(name: str, overrides: Sequence[str]) -> RunRecipe:
    """The recipe with absolute paths. Raises ConfigError for whatever is wrong with it."""
    path = find_recipe(name)
    recipe = load_any_recipe(path, overrides)
    if isinstance(recipe, Recipe):
        return _online(recipe, path.parent)
    return _with_absolute_paths(recipe, path.parent)


def read_recipe(name: str, overrides: Sequence[str]) -> Recipe:
    """As `read_any_recipe`, of an online method."""
    path = find_recipe(name)
    return _online(load_recipe(path, overrides), path.parent)


def _online(recipe: Recipe, base: Path) -> Recipe:
    recipe = with_absolute_names(_with_absolute_paths(recipe, base), base)
    check_user_code(recipe)
    models = with_paths(recipe.reward_models, lambda path: _reward_model_path(path, base))
    return recipe.model_copy(update={"reward_models": models})


def _reward_model_path(path: str, base: Path) -> str:
    found = None if path in SEEDS else existing(path, base)
    if found is None and path not in SEEDS and not is_hub_name(path):
        raise ConfigError(
            f"reward_models: path = {path!r}: no such directory in {Path.cwd()} or "
            f"{base.absolute()}, and not a hub id (owner/name).",
            fix="train it first, and give its directory: --set reward_models.NAME.path=DIRECTORY",
        )
    return path if found is None else str(found)


def needs_seed(recipe: RunRecipe) -> bool:
    return bool(_seeds_of(recipe))


def _seeds_of(recipe: RunRecipe) -> list[str]:
    used = {recipe.model.path, recipe.data.train, recipe.data.eval}
    used |= paths_of(recipe.reward_models) if isinstance(recipe, Recipe) else set()
    return [seed for seed in SEEDS if seed in used]


async def resolve_seed(
    recipe: AnyRecipe,
    environment: Environment,
    interrupts: Interrupts,
    on_line: Callable[[str, str], None],
) -> AnyRecipe:
    """Builds the seed model and its task, or finds them built, and fills in their paths.

    The task has rows for rollouts, and examples for each kind of offline method.
    """
    for seed in _seeds_of(recipe):
        built = await build_seed(environment, interrupts, on_line, seed)
        recipe = _with_seed(recipe, seed, built)
    return recipe


def _with_seed(recipe: AnyRecipe, seed: str, built: dict[str, str]) -> AnyRecipe:
    model, data = recipe.model, recipe.data
    if model.path == seed:
        model = model.model_copy(update={"path": built["model_dir"]})
    if data.train == seed:
        data = data.model_copy(update={"train": _seed_data(recipe, built["train_path"])})
    if data.eval == seed:
        data = data.model_copy(update={"eval": _seed_data(recipe, built["eval_path"])})
    changes: dict[str, Any] = {"model": model, "data": data}
    if isinstance(recipe, Recipe):
        changes["reward_models"] = with_paths(
            recipe.reward_models, lambda path: built["model_dir"] if path == seed else path
        )
    return recipe.model_copy(update=changes)


def _seed_data(recipe: RunRecipe, rows: str) -> str:
    """`train.jsonl` for rollouts; beside it `train-preferences.jsonl` and its kin."""
    if not isinstance(recipe, OfflineRecipe):
        return rows
    path = Path(rows)
    return str(path.with_name(f"{path.stem}-{SEED_EXAMPLES[recipe.method.name]}{path.suffix}"))


async def build_seed(
    environment: Environment,
    interrupts: Interrupts,
    on_line: Callable[[str, str], None],
    seed: str = SEED,
) -> dict[str, str]:
    """Paths of a seed model and its task in the cache, where they are built at first."""
    cache = environment.cache_dir
    arguments = ("--cache-dir", str(cache), "--task", SEEDS[seed])
    argv = environment.command("trainer", "seed", *arguments)
    return await run_tool(SEED, argv, interrupts, log_dir=cache / "logs", on_line=on_line)


def _with_absolute_paths(recipe: AnyRecipe, base: Path) -> AnyRecipe:
    """A path is taken from the current directory, else from beside the recipe's file."""
    data = data_with_absolute_paths(recipe.data, base)
    model = recipe.model.model_copy(update={"path": _model_path(recipe.model.path, base)})
    learner = recipe.learner
    if learner.deepspeed is not None:
        path = file_path("learner.deepspeed", learner.deepspeed, base)
        learner = learner.model_copy(update={"deepspeed": path})
    updated = {"data": data, "model": model, "learner": learner}
    return recipe.model_copy(update=updated)


def _model_path(value: str, base: Path) -> str:
    """A directory, or what looks like a hub id (`owner/name`), which only the engine can check."""
    if value in SEEDS:
        return value
    found = existing(value, base)
    if found is not None:
        if not (found / "config.json").is_file():
            raise ConfigError(
                f"model.path = {value!r}: {found} is not a model, it has no config.json.",
                fix="give a model directory, a hub id, or 'seed'",
            )
        return str(found)
    if value.startswith(("/", ".", "~")) or value.count("/") != 1:
        raise ConfigError(
            f"model.path = {value!r}: no such directory, and not a hub id (owner/name).",
            fix="give a model directory, a hub id, or 'seed'",
        )
    return value
