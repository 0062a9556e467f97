"""`plaudit pipeline`: recipes in sequence, what one leaves handed to the next."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from plaudit.cli.output import err, figure, out, print_json
from plaudit.errors import ConfigError, PlauditError
from plaudit.local.interrupts import Interrupted, Interrupts
from plaudit.local.lock import directory_lock
from plaudit.local.logs import printable
from plaudit.local.run_dir import new_run_path
from plaudit.pipeline.check import check_stages, dry_run
from plaudit.pipeline.conduct import OnLine, conduct
from plaudit.pipeline.directory import PipelineDir, create_pipeline_dir, open_pipeline_dir
from plaudit.pipeline.file import find_pipeline, read_pipeline
from plaudit.pipeline.references import places_in
from plaudit.pipeline.stage_command import StageOptions
from plaudit.report.pipeline import PIPELINE_REPORT_NAME
from plaudit.schemas.pipeline import PipelineFile, PipelineSummary, StageMetric

_RUNS = Path("runs")


@dataclass(frozen=True)
class _Options:
    stages: StageOptions
    as_json: bool
    runs_dir: Path


def pipeline(
    file: Annotated[
        str | None, typer.Argument(help="A TOML file, or a shipped pipeline: sft-dpo-rloo-tiny.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="DIR", help="Go on with a pipeline where it stopped.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where it is written; must not exist.")
    ] = None,
    runs_dir: Annotated[
        Path, typer.Option(help="Where pipelines are kept when --run-dir is not given.")
    ] = _RUNS,
    up: Annotated[
        bool, typer.Option("--up", help="Start the services that each stage needs, and stop them.")
    ] = False,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="vLLM engines, with --up.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every stage, start nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only results.")] = False,
) -> None:
    """Run recipes one after the other, and hand on what they leave (docs/pipelines.md).

    Each stage is a run in the pipeline's directory. The first failure ends it; --resume goes on
    from there, and runs nothing twice that is finished.

    Exit code: 0 finished, 1 a stage failed, 2 a setting is wrong, 130 stopped by Ctrl-C.
    """
    options = _Options(StageOptions(up, replicas, quiet), as_json, runs_dir)
    if (file is None) == (resume is None):
        raise ConfigError("give either a pipeline FILE or --resume DIR.")
    if resume is not None:
        if dry_run or run_dir is not None:
            raise ConfigError("--resume goes on in DIR.", fix="leave out --dry-run and --run-dir")
        asyncio.run(_conduct(open_pipeline_dir(resume, runs_dir), options))
    elif file is not None:
        found = read_pipeline(find_pipeline(file))
        path = run_dir or new_run_path(found.name, runs_dir)
        check_stages(found, places_in(path), up=up)
        if dry_run:
            asyncio.run(_dry_run(found, options))
        else:
            asyncio.run(_conduct(create_pipeline_dir(path, found), options))


async def _conduct(directory: PipelineDir, options: _Options) -> None:
    interrupts = Interrupts()
    with directory_lock(directory.path):
        check_stages(directory.file, directory.place, up=options.stages.up)
        try:
            await conduct(directory, options.stages, interrupts, _printer(options))
        except (PlauditError, Interrupted) as error:
            _tell_rest(directory, options, error)
            raise
    _tell(directory, options)


async def _dry_run(found: PipelineFile, options: _Options) -> None:
    errors = await dry_run(found, options.stages, Interrupts(), _printer(options))
    if options.as_json:
        stages = [
            {"name": name, "ok": error is None, "error": error and str(error)}
            for name, error in errors.items()
        ]
        print_json({"stages": stages})
    for name, error in errors.items():
        word = "ok  " if error is None else "FAIL"
        err.print(Text(f"{word} stage {name}" + (f": {printable(error.message)}" if error else "")))
    if any(errors.values()):
        raise typer.Exit(1)


def _printer(options: _Options) -> OnLine:
    """What the stages print, on standard error where standard output is for JSON."""
    console = err if options.as_json else out

    def line(stage: str, text: str) -> None:
        if not options.stages.quiet:
            console.print(
                Text(f"{stage} | ", style="cyan").append(printable(text), style="default")
            )

    return line


def _tell(directory: PipelineDir, options: _Options) -> None:
    if options.as_json:
        print_json(directory.summary.model_dump())
        return
    _print_stages(directory.summary)
    out.print(f"report: {_shown(directory.path) / PIPELINE_REPORT_NAME}", markup=False)


def _tell_rest(directory: PipelineDir, options: _Options, error: BaseException) -> None:
    if not options.as_json:
        _print_stages(directory.summary)
    up = " --up" if options.stages.up else ""
    word = "stopped" if isinstance(error, Interrupted) else "to go on once it is mended"
    err.print(
        f"{word}. resume with: plaudit pipeline --resume {_shown(directory.path)}{up}", markup=False
    )


def _print_stages(summary: PipelineSummary) -> None:
    """A line each, which a pipe does not cut as it cuts a table."""
    width = max(len(stage.name) for stage in summary.stages)
    for stage in summary.stages:
        wall = figure(stage.wall_s, " s")
        line = f"{stage.name.ljust(width)}  {stage.state:8}  {wall:>8}  {_result(stage.metric)}"
        out.print(Text(printable(line.rstrip())))


def _result(metric: StageMetric | None) -> str:
    if metric is None:
        return ""
    if metric.after is None:
        return f"{metric.name} {figure(metric.before)}"
    gain, between = figure(metric.gain), metric.gain_ci95
    interval = f" (95 %: {figure(between[0])} to {figure(between[1])})" if between else ""
    change = f"{figure(metric.before)} -> {figure(metric.after)}"
    return f"{metric.name} {change}, gain {gain}{interval}"


def _shown(path: Path) -> Path:
    with suppress(ValueError):
        return path.relative_to(Path.cwd())
    return path
