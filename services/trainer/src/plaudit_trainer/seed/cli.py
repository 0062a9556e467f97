"""`python -m plaudit_trainer.seed`: build the seed model and its data."""

from pathlib import Path
from typing import Annotated

import typer

from plaudit_trainer.seed.build import build_seed
from plaudit_trainer.seed.settings import Task

app = typer.Typer(add_completion=False)


@app.command()
def main(
    cache_dir: Annotated[Path, typer.Option(help="Where seeds are kept.")],
    seed: Annotated[int, typer.Option(help="Another number gives other weights and data.")] = 0,
    task: Annotated[Task, typer.Option(help="Which task the model is warmed up for.")] = "demo",
) -> None:
    """Build the seed, or find it in the cache, and say where it lies."""
    paths = build_seed(cache_dir, seed=seed, task=task, progress=_show_progress)
    typer.echo(f"model  {paths.model_dir}")
    typer.echo(f"train  {paths.train_path}")
    typer.echo(f"eval   {paths.eval_path}")


def _show_progress(stage: str, fraction: float) -> None:
    """Rewrite one line of standard error, so that standard output holds the paths alone."""
    ending = "\n" if fraction == 1.0 else ""
    typer.echo(f"\r{stage:6} {fraction:4.0%}{ending}", nl=False, err=True)
