"""`plaudit train` and `plaudit demo`."""

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from plaudit.cli.live import LiveView, NowAndThen, PlainView
from plaudit.cli.output import err, out, print_json, summary_table
from plaudit.config.recipe import dump_recipe
from plaudit.errors import ConfigError
from plaudit.local import training
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupted, Interrupts
from plaudit.local.lock import directory_lock
from plaudit.local.logs import printable
from plaudit.local.preflight import (
    Check,
    ask_reward_names,
    check_files,
    check_mixing,
    check_ports,
    check_reachable,
    check_reward_names,
    local_services,
    require_reachable,
    services_elsewhere,
)
from plaudit.local.recipes import needs_seed, read_recipe, resolve_seed
from plaudit.local.redis import DIRECTORY, running_redis
from plaudit.local.run_dir import (
    Run,
    check_new,
    create_run,
    latest_target,
    new_run_path,
    open_run,
    point_latest_at,
)
from plaudit.local.services import REWARD_API, Topology
from plaudit.local.user_code import changed_files, check_user_code
from plaudit.report import write_report
from plaudit.schemas.recipe import Recipe

RUNS_DIR = Path("runs")


@dataclass(frozen=True)
class TrainOptions:
    """What the command line says. `up`: start the services, too."""

    up: bool = False
    num_replicas: int = 1
    as_json: bool = False
    quiet: bool = False
    runs_dir: Path = RUNS_DIR
    run_dir: Path | None = None


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
    interrupts, environment = Interrupts(), Environment()
    recipe = read_recipe(name, overrides)
    path = options.run_dir or new_run_path(recipe.name, options.runs_dir)
    check_new(path)
    services = _topology(recipe, environment, None, options)
    await check_ports(environment, services)
    recipe = await _resolve(recipe, environment, interrupts, options)
    await check_files(recipe, environment, interrupts, _ignore)
    await check_reward_names(recipe, environment)
    redis_url = await _require_services(recipe, environment, options)
    latest = latest_target(path.parent)
    run = create_run(path, recipe, sys.argv)
    with directory_lock(run.path):
        try:
            await _conduct(run, recipe, environment, redis_url, interrupts, options)
        except ConfigError:
            training.discard_if_untouched(run, latest)
            raise


async def resume_run(name: str, options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    run = open_run(name, options.runs_dir)
    if (summary := run.summary) is not None:
        err.print(f"{run.path} is finished; there is nothing to go on with.", markup=False)
        if options.as_json:
            print_json(summary.model_dump())
        return
    recipe = run.recipe()
    if (run.path / DIRECTORY).exists() and not options.up:
        raise ConfigError(
            f"the state of {run.path.name} is in a Redis of its own, {run.path / DIRECTORY}.",
            fix=f"let this command start it: plaudit train --resume {_shown(run)} --up",
        )
    check_user_code(recipe)
    for line in changed_files(run.path):
        err.print(f"warning: {line}", markup=False)
    with directory_lock(run.path):
        await check_ports(environment, _topology(recipe, environment, None, options))
        redis_url = await _require_services(recipe, environment, options)
        await _conduct(run, recipe, environment, redis_url, interrupts, options)


async def dry_run_recipe(name: str, overrides: list[str], options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    recipe = read_recipe(name, overrides)
    if options.up:
        await check_ports(environment, _topology(recipe, environment, None, options))
    recipe = await _resolve(recipe, environment, interrupts, options)
    checks = [await check_files(recipe, environment, interrupts, _ignore), check_mixing(recipe)]
    here = local_services(recipe, environment) if options.up else ()
    if REWARD_API in here:
        checks.append(await ask_reward_names(recipe, environment, interrupts))
    else:
        checks.append(await check_reward_names(recipe, environment))
    elsewhere = services_elsewhere(recipe, environment, here)
    redis_url = environment.redis_url if options.up else running_redis(environment)
    checks += await check_reachable(environment, elsewhere, redis_url)
    checks += [Check(f"service {s}", True, "will be started") for s in here]
    _print_checks(recipe, checks, options)
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


def _print_checks(recipe: Recipe, checks: list[Check], options: TrainOptions) -> None:
    if options.as_json:
        found = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]
        print_json({"recipe": recipe.model_dump(mode="json"), "checks": found})
        return
    out.print(Text(printable_lines(dump_recipe(recipe))))
    for check in checks:
        err.print(Text(_check_line(check)))


async def _resolve(
    recipe: Recipe, environment: Environment, interrupts: Interrupts, options: TrainOptions
) -> Recipe:
    show = _ignore if options.quiet else NowAndThen(err).line
    if needs_seed(recipe) and not options.quiet:
        err.print("seed model: building it, or finding it built (the first time takes a minute)")
    return await resolve_seed(recipe, environment, interrupts, show)


async def _require_services(
    recipe: Recipe, environment: Environment, options: TrainOptions
) -> str | None:
    """The Redis to use, unless the run starts its own. Raises ConfigError when one is missing."""
    here = local_services(recipe, environment) if options.up else ()
    elsewhere = services_elsewhere(recipe, environment, here)
    redis_url = environment.redis_url
    if redis_url is None and not options.up:
        redis_url = running_redis(environment)
    checks = await check_reachable(environment, elsewhere, redis_url)
    if redis_url is None and not options.up:
        checks.append(Check("Redis", False, "neither PLAUDIT_REDIS_URL is set nor does one run"))
    require_reachable(checks)
    return redis_url


def _topology(
    recipe: Recipe, environment: Environment, run: Run | None, options: TrainOptions
) -> Topology | None:
    if not options.up:
        return None
    return training.topology(recipe, environment, run, options.num_replicas)


async def _conduct(
    run: Run,
    recipe: Recipe,
    environment: Environment,
    redis_url: str | None,
    interrupts: Interrupts,
    options: TrainOptions,
) -> None:
    services = _topology(recipe, environment, run, options)
    specs = training.specs_of(run, recipe, environment, redis_url, services)
    point_latest_at(run)
    started = time.monotonic()
    try:
        with _view(options) as view:
            outcome = await training.conduct(run, recipe, specs, environment, interrupts, view)
    except Interrupted:
        up = " --up" if options.up else ""
        err.print(f"stopped. resume with: plaudit train --resume {_shown(run)}{up}", markup=False)
        raise
    finally:
        if run.has_progress():
            with suppress(OSError):  # a full disk must not hide how the run ended
                write_report(run.path)
    training.complete_summary(run, outcome.restarts, time.monotonic() - started)
    write_report(run.path)
    _print_result(run, options)


def _print_result(run: Run, options: TrainOptions) -> None:
    summary = run.summary
    if summary is None:
        raise training.RunFailed(
            f"the run {run.run_id} finished without a summary.json.",
            fix=f"see {run.log_dir / 'conductor.log'}",
        )
    if options.as_json:
        print_json(summary.model_dump())
        return
    out.print(summary_table(summary))
    out.print(f"report: {_shown(run) / 'report.html'}", markup=False)


def _view(options: TrainOptions) -> LiveView | PlainView:
    console = err if options.as_json else out
    if console.is_terminal and not options.quiet:
        return LiveView(console)
    return PlainView(console, quiet=options.quiet)


def _shown(run: Run) -> Path:
    """As short as it can be typed."""
    with suppress(ValueError):
        return run.path.relative_to(Path.cwd())
    return run.path


def _check_line(check: Check) -> str:
    word = {True: "ok  ", False: "FAIL", None: "?   "}[check.ok]
    return f"{word} {check.name}: {printable(check.detail)}"


def printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())


def _ignore(name: str, line: str) -> None:
    """The tool's log file has the line."""
