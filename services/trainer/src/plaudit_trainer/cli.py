"""`plaudit-trainer`: the processes of a training run."""

import asyncio
import json
import sys
from contextlib import redirect_stdout
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from plaudit.config.recipe import load_any_recipe
from plaudit.schemas.recipe import OfflineRecipe, Recipe
from plaudit.service.exit import guard

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)

RunDirOption = Annotated[Path, typer.Option("--run-dir", help="The run's directory.")]


@app.command()
def conductor(run_dir: RunDirOption) -> None:
    """Keep groups in flight, have them scored, hand them to the learner; serve the status."""
    from plaudit_trainer.conductor.main import run

    run(run_dir)


@app.command()
def learner(run_dir: RunDirOption) -> None:
    """Train on scored groups and publish policy versions (one process; else use accelerate)."""
    from plaudit_trainer.learner.main import run

    run(run_dir)


@app.command()
def offline(run_dir: RunDirOption) -> None:
    """Train on a data set, without rollouts and services (one process; else use accelerate)."""
    from plaudit_trainer.offline.main import run

    run(run_dir)


@app.command()
def check(
    recipe: Annotated[Path, typer.Option("--recipe", help="A resolved recipe file.")],
) -> None:
    """Check the recipe's model, rows and prompt lengths; print what was found as JSON."""
    found = load_any_recipe(recipe)
    if isinstance(found, OfflineRecipe):
        from plaudit_trainer.offline.check import check_offline

        typer.echo(json.dumps(check_offline(found)))
    elif isinstance(found, Recipe):
        from plaudit_trainer.check import check_recipe

        typer.echo(json.dumps(check_recipe(found)))


@app.command()
def data(
    recipe: Annotated[Path, typer.Option("--recipe", help="A resolved recipe file.")],
    out: Annotated[Path, typer.Option("--out", help="Where the JSON is written.")],
    split: Annotated[Literal["train", "eval"], typer.Option("--split")] = "train",
    rows: Annotated[int, typer.Option("--rows", min=0, max=1000, help="How many.")] = 3,
) -> None:
    """Write what the model sees of the recipe's data, and what became of every row, as JSON."""
    from plaudit_trainer.show import shown

    found = shown(load_any_recipe(recipe, []), split, rows)
    out.write_text(json.dumps(found, default=str), encoding="utf-8")
    typer.echo(json.dumps({"rows": len(found["rows"])}))


@app.command()
def recipes() -> None:
    """List the recipes that come with Plaudit, as JSON: name to file."""
    folder = resources.files("plaudit_trainer") / "recipes"
    files = {Path(str(file)).stem: str(file) for file in folder.iterdir()}
    typer.echo(json.dumps(dict(sorted(files.items()))))


@app.command()
def prepare(
    recipe: Annotated[str, typer.Argument(help="A TOML file, or a shipped recipe.")],
    run_dir: RunDirOption,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change one setting; may be repeated."),
    ] = None,
) -> None:
    """Make the run's directory for a conductor and a learner, or find it made with this recipe."""
    from plaudit_trainer import prepare as made

    asyncio.run(made.prepare(recipe, overrides or [], run_dir))


@app.command()
def seed(
    cache_dir: Annotated[Path, typer.Option("--cache-dir", help="Where built models are kept.")],
    seed: Annotated[int, typer.Option("--seed", help="Seed of the task and of the weights.")] = 0,
    task: Annotated[
        Literal["demo", "slate"], typer.Option("--task", help="Which task, and model for it.")
    ] = "demo",
) -> None:
    """Build the tiny seed model and its task, or find them built; print their paths as JSON."""
    from plaudit_trainer.seed import build_seed

    # why: what a build imports may log to standard output, from which scripts read the paths.
    with redirect_stdout(sys.stderr):
        paths = build_seed(cache_dir, seed=seed, task=task)
    typer.echo(
        json.dumps(
            {
                "model_dir": str(paths.model_dir),
                "train_path": str(paths.train_path),
                "eval_path": str(paths.eval_path),
                "fingerprint": paths.fingerprint,
            }
        )
    )


def main() -> None:
    """Entry point: configuration errors are told without a traceback, exit code 2."""
    with guard():
        app()
