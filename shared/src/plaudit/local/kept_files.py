"""Copies of the files that a recipe names, kept with the run: what it began with can be told."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

from plaudit.data_names import is_template_file
from plaudit.local.user_code import user_rewards
from plaudit.schemas.recipe import Recipe, RunRecipe

COPIES = "files"
"""Directory of a run with a copy of every file, and their places in `places.json`."""
_PLACES = "places.json"


def keep_copies(recipe: RunRecipe, run_dir: Path) -> None:
    """Of rewards, templates and a DeepSpeed configuration; data sets and models are too large."""
    paths = _named(recipe)
    if not paths:
        return
    (run_dir / COPIES).mkdir()
    places = {}
    for number, path in enumerate(paths):
        copy = f"{number}-{path.name}"
        shutil.copyfile(path, run_dir / COPIES / copy)
        places[copy] = str(path)
    (run_dir / COPIES / _PLACES).write_text(json.dumps(places, indent=2), encoding="utf-8")


def changed_files(run_dir: Path) -> list[str]:
    """One line for each file that is no longer what the run began with."""
    try:
        places = json.loads((run_dir / COPIES / _PLACES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [
        f"{path} is not what the run began with (that is in {run_dir / COPIES / copy}); "
        "the run goes on with the file as it is now"
        for copy, path in places.items()
        if _digest(Path(path)) != _digest(run_dir / COPIES / copy)
    ]


def _named(recipe: RunRecipe) -> list[Path]:
    rewards = user_rewards(recipe).values() if isinstance(recipe, Recipe) else ()
    texts = (recipe.data.system_prompt, recipe.data.prompt_template)
    templates = [Path(text) for text in texts if text is not None and is_template_file(text)]
    deepspeed = recipe.learner.deepspeed
    configs = [] if deepspeed is None else [Path(deepspeed)]
    return sorted({*(reward.path for reward, _ in rewards), *templates, *configs})


def _digest(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
