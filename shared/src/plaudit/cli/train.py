"""`plaudit train` and `plaudit demo`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from plaudit.cli import offline, online
from plaudit.cli.output import err, print_json
from plaudit.cli.training import RUNS_DIR, TrainOptions
from plaudit.errors import ConfigError
from plaudit.local.kept_files import changed_files
from plaudit.local.recipes import read_any_recipe
from plaudit.local.run_dir import open_run
from plaudit.schemas.recipe import OfflineRecipe, Recipe


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A TOML file, or a shipped recipe: demo, gsm8k.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change one setting; may be repeated."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run: its directory or name.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the run is written; must not exist.")
    ] = None,
    runs_dir: Annotated[
        Path, typer.Option(help="Where runs are kept when --run-dir is not given.")
    ] = RUNS_DIR,
    up: Annotated[
        bool, typer.Option("--up", help="Start the services it needs, and stop them at the end.")
    ] = False,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="vLLM engines, with --up.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the resolved recipe, check all, start nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No live view.")] = False,
) -> None:
    """Train by a recipe, show what happens, write a report.

    Everything about the run is in its directory: recipe.toml, metrics.jsonl, checkpoints,
    summary.json, report.html and the logs. Ctrl-C stops it; --resume goes on.

    Exit code: 0 finished, 1 failed (or something is missing, with --dry-run), 2 a setting is
    wrong, 130 stopped by Ctrl-C.
    """
    options = TrainOptions(up, replicas, as_json, quiet, runs_dir, run_dir)
    if (recipe is None) == (resume is None):
        raise ConfigError(
            "give either a RECIPE or --resume RUN.",
            fix="e.g. plaudit train demo --up, or plaudit train --resume latest --up",
        )
    if resume is not None:
        if overrides or dry_run or run_dir is not None:
            raise ConfigError(
                "--resume goes on with the run's own recipe.",
                fix="leave out --set, --dry-run and --run-dir",
            )
        asyncio.run(resume_run(resume, options))
    elif recipe is not None:
        start = dry_run_recipe if dry_run else start_run
        asyncio.run(start(recipe, overrides or [], options))


def demo(
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change one setting; may be repeated."),
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are kept.")] = RUNS_DIR,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="vLLM engines.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No live view.")] = False,
) -> None:
    """Train a tiny model end to end through real services, from nothing to a report.

    The same as `plaudit train demo --up`.
    """
    changes = [*(overrides or [])]
    changes += [] if seed is None else [f"seed={seed}"]
    changes += [] if steps is None else [f"budget.steps={steps}"]
    options = TrainOptions(True, replicas, as_json, quiet, runs_dir)
    asyncio.run(start_run("demo", changes, options))


async def start_run(name: str, overrides: list[str], options: TrainOptions) -> None:
    recipe = read_any_recipe(name, overrides)
    if isinstance(recipe, OfflineRecipe):
        await offline.start(recipe, options)
    elif isinstance(recipe, Recipe):
        await online.start(recipe, options)


async def resume_run(name: str, options: TrainOptions) -> None:
    run = open_run(name, options.runs_dir)
    if (summary := run.summary) is not None:
        err.print(f"{run.path} is finished; there is nothing to go on with.", markup=False)
        if options.as_json:
            print_json(summary.model_dump())
        return
    for line in changed_files(run.path):
        err.print(f"warning: {line}", markup=False)
    recipe = run.recipe()
    if isinstance(recipe, OfflineRecipe):
        await offline.resume(run, recipe, options)
    elif isinstance(recipe, Recipe):
        await online.resume(run, recipe, options)


async def dry_run_recipe(name: str, overrides: list[str], options: TrainOptions) -> None:
    recipe = read_any_recipe(name, overrides)
    if isinstance(recipe, OfflineRecipe):
        await offline.dry_run(recipe, options)
    elif isinstance(recipe, Recipe):
        await online.dry_run(recipe, options)
