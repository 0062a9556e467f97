"""Runs the stages one after the other, each as a `plaudit train` of its own."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from plaudit.errors import PlauditError
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupts
from plaudit.local.process import ProcessSpec
from plaudit.local.supervisor import Supervisor, SupervisorOptions, told_error
from plaudit.pipeline.directory import PipelineDir
from plaudit.pipeline.metric import stage_metric
from plaudit.pipeline.stage_command import StageOptions, stage_env, start_command
from plaudit.report.pipeline import write_pipeline_report
from plaudit.schemas.pipeline import Stage

_STOP_MORE_S = 10.0
"""Besides the learner's own time: for the services and the report of the stage."""
_SHOWN_LINES = 15

OnLine = Callable[[str, str], None]


class StageFailed(PlauditError):
    """A stage ended without its result; `fix` says how to go on."""


async def conduct(
    directory: PipelineDir, options: StageOptions, interrupts: Interrupts, on_line: OnLine
) -> None:
    """All stages that are not finished. Raises StageFailed at the first failure, Interrupted."""
    for stage in directory.file.stages:
        result = next(one for one in directory.summary.stages if one.name == stage.name)
        if result.state != "finished":
            await _run_stage(directory, stage, result.wall_s, options, interrupts, on_line)
    write_pipeline_report(directory.path, directory.summary)


async def _run_stage(
    directory: PipelineDir,
    stage: Stage,
    earlier_s: float,
    options: StageOptions,
    interrupts: Interrupts,
    on_line: OnLine,
) -> None:
    run_dir = directory.path / stage.name
    argv = start_command(stage, run_dir, directory.place, options)
    env = stage_env(stage, directory.place)
    directory.update(stage.name, state="running", error=None)
    started_s = time.monotonic()
    state, error = "stopped", None
    try:
        await run_command(stage.name, argv, env, directory.log_dir, interrupts, on_line)
        state = "finished"
    except PlauditError as failure:
        state, error = "failed", str(failure)
        raise StageFailed(
            f"stage {stage.name!r} failed: {failure.message}", fix=failure.fix
        ) from failure
    finally:
        directory.update(
            stage.name,
            state=state,
            error=error,
            wall_s=earlier_s + time.monotonic() - started_s,
            metric=stage_metric(run_dir),
        )
        write_pipeline_report(directory.path, directory.summary)


async def run_command(
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    log_dir: Path,
    interrupts: Interrupts,
    on_line: OnLine,
) -> None:
    """Raises StageFailed with the error that the command told, Interrupted."""
    stop_s = Environment().learner_stop_timeout_s + _STOP_MORE_S
    spec = ProcessSpec(
        name,
        tuple(argv),
        env=env,
        restart="never",
        stop_timeout_s=stop_s,
        fatal_exit_codes=frozenset(),
    )
    options = SupervisorOptions(stop_timeout_s=stop_s)
    supervisor = Supervisor([spec], log_dir=log_dir, on_line=on_line, options=options)
    await interrupts.run(supervisor)
    process = supervisor.processes[name]
    if process.exit_code == 0:
        return
    tail = [] if process.child is None else list(process.child.tail)
    message, fix = told_error(tail) or (_unexplained(process.exit_code, tail), None)
    raise StageFailed(message, fix=fix or f"see its whole log, {process.log.path}")


def _unexplained(exit_code: int | None, tail: Sequence[str]) -> str:
    lines = "\n".join(f"  {line}" for line in tail[-_SHOWN_LINES:]) or "  (nothing)"
    return f"exit code {exit_code}. Its last lines:\n{lines}\n"
