"""Finding a recipe, and putting real places where it says `seed`."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from plaudit.config.recipe import load_recipe
from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.tool import run_tool
from plaudit.local.user_code import check_user_code, with_absolute_names
from plaudit.schemas.recipe import Recipe

SEED = "seed"


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


def read_recipe(name: str, overrides: Sequence[str]) -> Recipe:
    """The recipe with absolute paths. Raises ConfigError for whatever is wrong with it."""
    path = find_recipe(name)
    recipe = _with_absolute_paths(load_recipe(path, overrides), path.parent)
    recipe = with_absolute_names(recipe, path.parent)
    check_user_code(recipe)
    return recipe


def needs_seed(recipe: Recipe) -> bool:
    return SEED in (recipe.model.path, recipe.data.train, recipe.data.eval)


async def resolve_seed(
    recipe: Recipe,
    environment: Environment,
    interrupts: Interrupts,
    on_line: Callable[[str, str], None],
) -> Recipe:
    """Builds the seed model and its task, or finds them built, and fills in their paths."""
    if not needs_seed(recipe):
        return recipe
    built = await build_seed(environment, interrupts, on_line)
    model, data = recipe.model, recipe.data
    if model.path == SEED:
        model = model.model_copy(update={"path": built["model_dir"]})
    if data.train == SEED:
        data = data.model_copy(update={"train": built["train_path"]})
    if data.eval == SEED:
        data = data.model_copy(update={"eval": built["eval_path"]})
    return recipe.model_copy(update={"model": model, "data": data})


async def build_seed(
    environment: Environment, interrupts: Interrupts, on_line: Callable[[str, str], None]
) -> dict[str, str]:
    """Paths of the seed model and its task in the cache, where they are built at first."""
    cache = environment.cache_dir
    argv = environment.command("trainer", SEED, "--cache-dir", str(cache))
    return await run_tool(SEED, argv, interrupts, log_dir=cache / "logs", on_line=on_line)


def _with_absolute_paths(recipe: Recipe, base: Path) -> Recipe:
    """A path is taken from the current directory, else from beside the recipe's file."""
    data = recipe.data
    places = {"train": _data_path("data.train", data.train, base)}
    if data.eval is not None:
        places["eval"] = _data_path("data.eval", data.eval, base)
    model = recipe.model.model_copy(update={"path": _model_path(recipe.model.path, base)})
    learner = recipe.learner
    if learner.deepspeed is not None:
        path = _data_path("learner.deepspeed", learner.deepspeed, base)
        learner = learner.model_copy(update={"deepspeed": path})
    updated = {"data": data.model_copy(update=places), "model": model, "learner": learner}
    return recipe.model_copy(update=updated)


def _data_path(setting: str, value: str, base: Path) -> str:
    if value == SEED:
        return value
    found = _existing(value, base)
    if found is None or not found.is_file():
        raise ConfigError(
            f"{setting} = {value!r}: no such file in {Path.cwd()} or {base.absolute()}.",
            fix=f"give the path of a file: --set {setting}=PATH",
        )
    return str(found)


def _model_path(value: str, base: Path) -> str:
    """A directory, or what looks like a hub id (`owner/name`), which only the engine can check."""
    if value == SEED:
        return value
    found = _existing(value, base)
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


def _existing(value: str, base: Path) -> Path | None:
    path = Path(value).expanduser()
    for candidate in (Path.cwd() / path, base.absolute() / path):
        if candidate.exists():
            return candidate
    return None
