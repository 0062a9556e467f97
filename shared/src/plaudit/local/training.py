"""One training run on this machine: its processes, followed until it is over."""

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from typing import Protocol

from plaudit.errors import ConfigError, PlauditError
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupted, Interrupts
from plaudit.local.learner import has_gpu, learner_command, learner_env
from plaudit.local.preflight import (
    check_reward_models,
    check_reward_names,
    local_services,
    used_rewards,
)
from plaudit.local.process import ProcessSpec
from plaudit.local.redis import DIRECTORY, local_redis
from plaudit.local.reward_models import models_env
from plaudit.local.run_dir import Run, restore_latest
from plaudit.local.services import REWARD_API, Model, Topology, training_specs
from plaudit.local.status import LastStatus
from plaudit.local.supervisor import Process, Supervisor, SupervisorOptions
from plaudit.local.user_code import allowed_dirs
from plaudit.reward_pools import MODEL_REWARDS
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.run import RunStatus

_POLL_S = 0.5
_FAILED_POLLS = 4
_STOP_OTHERS_S = 2.0
"""After the learner, for the processes that it depends on."""


class View(Protocol):
    """What shows a run to a person."""

    def update(self, status: RunStatus | None, processes: dict[str, Process]) -> None: ...

    def event(self, text: str) -> None: ...


class RunFailed(PlauditError):
    """The run itself gave up; `fix` names the dump that tells the state."""


@dataclass
class Outcome:
    """How a run ended: `status` as last seen."""

    status: RunStatus | None = None
    restarts: dict[str, int] = field(default_factory=dict)


def topology(
    recipe: Recipe, environment: Environment, run: Run | None, num_replicas: int
) -> Topology:
    """The services of a run that starts them itself. Without `run` only its ports are of use.

    Raises ConfigError for a reward model that is not configured.
    """
    redis = None
    if environment.redis_url is None and run is not None:
        redis = local_redis(run.path / DIRECTORY)
    wanted = recipe.model
    model = Model(wanted.path, wanted.max_model_tokens, wanted.dtype, wanted.published_rank)
    services = local_services(recipe, environment)
    if REWARD_API in services:
        check_reward_models(recipe, environment)
    run_dir = run.path if run is not None else None
    settings = allowed_dirs(recipe, environment) | models_env(recipe, environment, run_dir)
    return Topology(
        environment,
        services,
        redis,
        model,
        num_replicas,
        uses_reward_models=bool(MODEL_REWARDS & used_rewards(recipe)),
        extra_env=settings,
    )


def specs_of(
    run: Run,
    recipe: Recipe,
    environment: Environment,
    redis_url: str | None,
    services: Topology | None,
) -> list[ProcessSpec]:
    """All processes, dependencies first. `redis_url`: the Redis that runs already."""
    gpu = has_gpu()
    learner = learner_command(environment, recipe.learner, run.path, has_gpu=gpu)
    env = learner_env(recipe.learner, has_gpu=gpu)
    first = [] if services is None else services.specs()
    return [*first, *training_specs(environment, run.path, first, learner, env, redis_url)]


async def conduct(
    run: Run,
    recipe: Recipe,
    specs: list[ProcessSpec],
    environment: Environment,
    interrupts: Interrupts,
    view: View,
) -> Outcome:
    """Runs the processes until the run is finished; stops them all.

    Raises RunFailed when the run gave up (ConfigError when a setting made it), ConfigError and
    ProcessFailed as the supervisor does, Interrupted after Ctrl-C.
    """
    stop_s = environment.learner_stop_timeout_s + _STOP_OTHERS_S
    supervisor = Supervisor(
        specs,
        log_dir=run.log_dir,
        on_event=view.event,
        options=SupervisorOptions(stop_timeout_s=stop_s),
    )
    outcome = Outcome()
    follower = asyncio.create_task(_follow(supervisor, environment, view, outcome))
    names = asyncio.create_task(_check_names(supervisor, recipe, environment))
    try:
        await interrupts.run(supervisor)
    except Interrupted:
        if outcome.status is None or outcome.status.state != "finished":
            raise
    finally:
        for task in (follower, names):
            task.cancel()
        results = await asyncio.gather(follower, names, return_exceptions=True)
        outcome.restarts = supervisor.restarts
    for result in results:
        if isinstance(result, Exception):
            raise result
    _raise_failure(run, outcome.status)
    return outcome


async def _follow(
    supervisor: Supervisor, environment: Environment, view: View, outcome: Outcome
) -> None:
    failed_polls = 0
    last = LastStatus()
    try:
        while failed_polls < _FAILED_POLLS:
            shown = await last.ask(environment)
            outcome.status = last.status
            view.update(shown, supervisor.processes)
            if outcome.status is not None and outcome.status.state == "finished":
                return
            # A resumed run shows its old failure for a moment, until the conductor clears it.
            failed = outcome.status is not None and outcome.status.failure is not None
            failed_polls = failed_polls + 1 if failed else 0
            await asyncio.sleep(_POLL_S)
    finally:
        supervisor.request_stop()


async def _check_names(supervisor: Supervisor, recipe: Recipe, environment: Environment) -> None:
    """A misspelt reward ends the run within seconds, long before the engines are ready."""
    if REWARD_API not in supervisor.processes:
        return
    await supervisor.wait_ready([REWARD_API])
    try:
        await check_reward_names(recipe, environment)
    except ConfigError:
        supervisor.request_stop()
        raise


def _raise_failure(run: Run, status: RunStatus | None) -> None:
    if status is not None and status.state == "finished":
        return
    reason = status.failure if status is not None else None
    if status is not None and reason is not None and status.failure_is_setting:
        message, _, fix = reason.partition(" Fix: ")
        raise ConfigError(message, fix=fix or f"see {run.log_dir}")
    dump = run.path / "stall.json"
    fix = f"see {dump if dump.exists() else run.log_dir / 'conductor.log'}, then go on with "
    raise RunFailed(
        f"the run {run.run_id} failed: {reason or 'its processes ended before it was finished'}",
        fix=f"{fix}plaudit train --resume {run.path}",
    )


def complete_summary(run: Run, restarts: dict[str, int], wall_s: float) -> None:
    """Adds to summary.json what only the supervisor knows."""
    path = run.path / "summary.json"
    if not path.is_file():
        return
    summary = json.loads(path.read_text(encoding="utf-8"))
    earlier = summary.get("restarts") or {}
    names = sorted({*earlier, *restarts})
    summary["restarts"] = {name: earlier.get(name, 0) + restarts.get(name, 0) for name in names}
    if not summary.get("wall_s"):
        summary["wall_s"] = wall_s
    half = path.with_suffix(".tmp")
    half.write_text(json.dumps(summary, indent=2), encoding="utf-8")
    half.replace(path)


def discard_if_untouched(run: Run, latest: str | None) -> None:
    """A run that a wrong setting kept from starting leaves nothing behind.

    `latest`: what the link of that name pointed at before.
    """
    if not run.has_progress():
        shutil.rmtree(run.path, ignore_errors=True)
        restore_latest(run.path.parent, latest)
