"""One offline run on this machine: its process, followed until it is over."""

import asyncio
from contextlib import suppress
from typing import Protocol

from pydantic import ValidationError

from plaudit.local.environment import LAUNCHER_VARIABLES, Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.learner import has_gpu, learner_command, learner_env
from plaudit.local.process import ProcessSpec
from plaudit.local.run_dir import Run
from plaudit.local.supervisor import Process, Supervisor, SupervisorOptions
from plaudit.local.training import RunFailed
from plaudit.schemas.recipe import OfflineRecipe
from plaudit.schemas.run import OfflineStatus

PROCESS = "offline"
_POLL_S = 0.5
_MAX_FAILURES = 2
"""In a row: what fails while it loads fails again."""


class View(Protocol):
    """What shows a run to a person."""

    def update(self, status: OfflineStatus | None, processes: dict[str, Process]) -> None: ...

    def event(self, text: str) -> None: ...


async def conduct(
    run: Run,
    recipe: OfflineRecipe,
    environment: Environment,
    interrupts: Interrupts,
    view: View,
) -> dict[str, int]:
    """Runs the process until the run is finished; how often it was started again, by its name.

    Raises RunFailed, ConfigError and ProcessFailed as the supervisor does, Interrupted after
    Ctrl-C.
    """
    stop_s = environment.learner_stop_timeout_s
    supervisor = Supervisor(
        [_spec(run, recipe, environment)],
        log_dir=run.log_dir,
        on_event=view.event,
        options=SupervisorOptions(stop_timeout_s=stop_s, max_failures=_MAX_FAILURES),
    )
    follower = asyncio.create_task(_follow(run, supervisor, view))
    try:
        await interrupts.run(supervisor)
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
    if run.summary is None:
        raise RunFailed(
            f"the run {run.run_id} failed: its process ended before it was finished",
            fix=f"see {run.log_dir / PROCESS}.log, then go on with plaudit train --resume "
            f"{run.path}",
        )
    return supervisor.restarts


def _spec(run: Run, recipe: OfflineRecipe, environment: Environment) -> ProcessSpec:
    gpu = has_gpu()
    return ProcessSpec(
        PROCESS,
        learner_command(environment, recipe.learner, run.path, has_gpu=gpu, process=PROCESS),
        env=learner_env(recipe.learner, has_gpu=gpu),
        without_env=LAUNCHER_VARIABLES,
        restart="on_failure",
        stop_timeout_s=environment.learner_stop_timeout_s,
    )


async def _follow(run: Run, supervisor: Supervisor, view: View) -> None:
    status: OfflineStatus | None = None
    while True:
        with suppress(OSError, ValidationError):  # it is not there yet
            text = (run.path / "status.json").read_bytes()
            status = OfflineStatus.model_validate_json(text)
        view.update(status, supervisor.processes)
        await asyncio.sleep(_POLL_S)
