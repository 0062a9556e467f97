"""Online runs: with rollouts, scored by services."""

import sys
import time
from contextlib import suppress

from plaudit.cli.live import render, status_line, view_of
from plaudit.cli.output import err
from plaudit.cli.training import (
    TrainOptions,
    ignore_line,
    print_checks,
    print_result,
    print_stopped,
    resolve,
    shown,
)
from plaudit.errors import ConfigError
from plaudit.local import training
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupted, Interrupts
from plaudit.local.lock import directory_lock
from plaudit.local.preflight import (
    Check,
    ask_reward_names,
    check_files,
    check_mixing,
    check_models_elsewhere,
    check_ports,
    check_reachable,
    check_reward_names,
    local_services,
    require_reachable,
    services_elsewhere,
)
from plaudit.local.redis import DIRECTORY, running_redis
from plaudit.local.run_dir import (
    Run,
    check_new,
    create_run,
    latest_target,
    new_run_path,
    point_latest_at,
)
from plaudit.local.services import REWARD_API, Topology
from plaudit.local.user_code import check_user_code
from plaudit.report import write_report
from plaudit.schemas.recipe import Recipe


async def start(recipe: Recipe, options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    path = options.run_dir or new_run_path(recipe.name, options.runs_dir)
    check_new(path)
    services = _topology(recipe, environment, None, options)
    await check_ports(environment, services)
    recipe = await resolve(recipe, environment, interrupts, options)
    await check_files(recipe, environment, interrupts, ignore_line)
    await check_reward_names(recipe, environment)
    here = local_services(recipe, environment) if options.up else ()
    if unused := check_models_elsewhere(recipe, here):
        err.print(f"warning: {unused.detail}", markup=False)
    redis_url = await _require_services(recipe, environment, options)
    latest = latest_target(path.parent)
    run = create_run(path, recipe, sys.argv)
    with directory_lock(run.path):
        try:
            await _conduct(run, recipe, environment, redis_url, interrupts, options)
        except ConfigError:
            training.discard_if_untouched(run, latest)
            raise


async def resume(run: Run, recipe: Recipe, options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    if (run.path / DIRECTORY).exists() and not options.up:
        raise ConfigError(
            f"the state of {run.path.name} is in a Redis of its own, {run.path / DIRECTORY}.",
            fix=f"let this command start it: plaudit train --resume {shown(run)} --up",
        )
    check_user_code(recipe)
    with directory_lock(run.path):
        await check_ports(environment, _topology(recipe, environment, None, options))
        redis_url = await _require_services(recipe, environment, options)
        await _conduct(run, recipe, environment, redis_url, interrupts, options)


async def dry_run(recipe: Recipe, options: TrainOptions) -> None:
    interrupts, environment = Interrupts(), Environment()
    if options.up:
        await check_ports(environment, _topology(recipe, environment, None, options))
    recipe = await resolve(recipe, environment, interrupts, options)
    checks = [await check_files(recipe, environment, interrupts, ignore_line), check_mixing(recipe)]
    here = local_services(recipe, environment) if options.up else ()
    if REWARD_API in here:
        checks.append(await ask_reward_names(recipe, environment, interrupts))
    else:
        checks.append(await check_reward_names(recipe, environment))
    checks += filter(None, [check_models_elsewhere(recipe, here)])
    elsewhere = services_elsewhere(recipe, environment, here)
    redis_url = environment.redis_url if options.up else running_redis(environment)
    checks += await check_reachable(environment, elsewhere, redis_url)
    checks += [Check(f"service {s}", True, "will be started") for s in here]
    print_checks(recipe, checks, options)


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
        with view_of(options.console, render, status_line, quiet=options.quiet) as view:
            outcome = await training.conduct(run, recipe, specs, environment, interrupts, view)
    except Interrupted:
        print_stopped(run, options)
        raise
    finally:
        if run.has_progress():
            with suppress(OSError):  # a full disk must not hide how the run ended
                write_report(run.path)
    training.complete_summary(run, outcome.restarts, time.monotonic() - started)
    write_report(run.path)
    print_result(run, "conductor.log", options)
