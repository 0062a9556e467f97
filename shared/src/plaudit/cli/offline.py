"""Offline runs: one training process on a data set, no services."""

import sys
import time
from contextlib import suppress

from plaudit.cli.live import view_of
from plaudit.cli.offline_live import render, status_line
from plaudit.cli.training import (
    TrainOptions,
    ignore_line,
    print_checks,
    print_result,
    print_stopped,
    resolve,
)
from plaudit.errors import ConfigError
from plaudit.local import offline
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupted, Interrupts
from plaudit.local.lock import directory_lock
from plaudit.local.preflight import check_files
from plaudit.local.run_dir import (
    Run,
    check_new,
    create_run,
    latest_target,
    new_run_path,
    point_latest_at,
)
from plaudit.local.training import complete_summary, discard_if_untouched
from plaudit.report import write_report
from plaudit.schemas.recipe import OfflineRecipe


async def start(recipe: OfflineRecipe, options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    path = options.run_dir or new_run_path(recipe.name, options.runs_dir)
    check_new(path)
    recipe = await resolve(recipe, environment, interrupts, options)
    await check_files(recipe, environment, interrupts, ignore_line)
    latest = latest_target(path.parent)
    run = create_run(path, recipe, sys.argv)
    with directory_lock(run.path):
        try:
            await _conduct(run, recipe, environment, interrupts, options)
        except ConfigError:
            discard_if_untouched(run, latest)
            raise


async def resume(run: Run, recipe: OfflineRecipe, options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    with directory_lock(run.path):
        await _conduct(run, recipe, environment, interrupts, options)


async def dry_run(recipe: OfflineRecipe, options: TrainOptions) -> None:
    """Model, rows and lengths."""
    interrupts, environment = Interrupts(), Environment()
    recipe = await resolve(recipe, environment, interrupts, options)
    check = await check_files(recipe, environment, interrupts, ignore_line)
    print_checks(recipe, [check], options)


async def _conduct(
    run: Run,
    recipe: OfflineRecipe,
    environment: Environment,
    interrupts: Interrupts,
    options: TrainOptions,
) -> None:
    point_latest_at(run)
    started_s = time.monotonic()
    try:
        with view_of(options.console, render, status_line, quiet=options.quiet) as view:
            restarts = await offline.conduct(run, recipe, environment, interrupts, view)
    except Interrupted:
        print_stopped(run, options)
        raise
    finally:
        if run.has_progress():
            with suppress(OSError):  # a full disk must not hide how the run ended
                write_report(run.path)
    complete_summary(run, restarts, time.monotonic() - started_s)
    write_report(run.path)
    print_result(run, f"{offline.PROCESS}.log", options)
