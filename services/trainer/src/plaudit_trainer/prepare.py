"""Makes the directory of a run whose conductor and learner something else starts: Kubernetes.

`plaudit train` does the same before it starts them itself.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from plaudit.config.recipe import load_recipe
from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.recipes import read_recipe, resolve_seed
from plaudit.local.run_dir import create_run
from plaudit.schemas.recipe import Recipe
from plaudit.telemetry import get_logger

log = get_logger(__name__)


async def prepare(name: str, overrides: Sequence[str], run_dir: Path) -> None:
    """Does nothing when the run is there with just this recipe.

    Raises ConfigError: the recipe is wrong, or the run has another one.
    """
    interrupts, environment = Interrupts(), Environment()
    recipe = await resolve_seed(read_recipe(name, overrides), environment, interrupts, _log)
    if (run_dir / "recipe.toml").is_file():
        check_same(run_dir, recipe)
    else:
        create_run(run_dir, recipe, sys.argv)


def check_same(run_dir: Path, recipe: Recipe) -> None:
    """Raises ConfigError naming what differs: a run that goes on keeps its recipe."""
    found = load_recipe(run_dir / "recipe.toml").model_dump()
    wanted = recipe.model_dump()
    differ = [name for name in wanted if wanted[name] != found[name]]
    if differ:
        raise ConfigError(
            f"--run-dir {run_dir}: that run has another recipe, in {', '.join(differ)}.",
            fix="give the new recipe a run of its own, by another --run-dir",
        )


def _log(name: str, line: str) -> None:
    log.info("preparing", tool=name, line=line)
