"""What the train commands of online and offline runs have in common."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer
from rich.console import Console
from rich.text import Text

from plaudit.cli.live import NowAndThen
from plaudit.cli.output import err, out, print_json, summary_table
from plaudit.config.recipe import dump_recipe
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.logs import printable
from plaudit.local.preflight import Check
from plaudit.local.recipes import needs_seed, resolve_seed
from plaudit.local.run_dir import Run
from plaudit.local.training import RunFailed
from plaudit.schemas.recipe import RunRecipe

RUNS_DIR = Path("runs")
AnyRecipe = TypeVar("AnyRecipe", bound=RunRecipe)


@dataclass(frozen=True)
class TrainOptions:
    """What the command line says. `up`: start the services, too."""

    up: bool = False
    num_replicas: int = 1
    as_json: bool = False
    quiet: bool = False
    runs_dir: Path = RUNS_DIR
    run_dir: Path | None = None

    @property
    def console(self) -> Console:
        """Where progress is shown: standard output is for the JSON alone where one is wanted."""
        return err if self.as_json else out


async def resolve(
    recipe: AnyRecipe, environment: Environment, interrupts: Interrupts, options: TrainOptions
) -> AnyRecipe:
    show = ignore_line if options.quiet else NowAndThen(err).line
    if needs_seed(recipe) and not options.quiet:
        err.print("seed model: building it, or finding it built (the first time takes a minute)")
    return await resolve_seed(recipe, environment, interrupts, show)


def print_checks(recipe: RunRecipe, checks: list[Check], options: TrainOptions) -> None:
    """Raises typer.Exit when one failed."""
    if options.as_json:
        found = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]
        print_json({"recipe": recipe.model_dump(mode="json"), "checks": found})
    else:
        out.print(Text(printable_lines(dump_recipe(recipe))))
        for check in checks:
            err.print(Text(_check_line(check)))
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


def print_result(run: Run, log_name: str, options: TrainOptions) -> None:
    summary = run.summary
    if summary is None:
        raise RunFailed(
            f"the run {run.run_id} finished without a summary.json.",
            fix=f"see {run.log_dir / log_name}",
        )
    if options.as_json:
        print_json(summary.model_dump())
        return
    out.print(summary_table(summary))
    out.print(f"report: {shown(run) / 'report.html'}", markup=False)


def print_stopped(run: Run, options: TrainOptions) -> None:
    up = " --up" if options.up else ""
    err.print(f"stopped. resume with: plaudit train --resume {shown(run)}{up}", markup=False)


def shown(run: Run) -> Path:
    """As short as it can be typed."""
    with suppress(ValueError):
        return run.path.relative_to(Path.cwd())
    return run.path


def _check_line(check: Check) -> str:
    word = {True: "ok  ", False: "FAIL", None: "?   "}[check.ok]
    return f"{word} {check.name}: {printable(check.detail)}"


def printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())


def ignore_line(name: str, line: str) -> None:
    """The tool's log file has the line."""
