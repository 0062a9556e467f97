"""`plaudit runs`: what was trained here."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from plaudit.cli.output import figure, out, plain, print_json, summary_table
from plaudit.local.run_dir import Run, list_runs, open_run
from plaudit.report import REPORT_NAME, write_report
from plaudit.schemas.run import OfflineSummary, Summary

app = typer.Typer(help="List runs, or show one.", invoke_without_command=True)

RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
_RUNS = Path("runs")


@app.callback()
def runs(context: typer.Context, runs_dir: RunsDir = _RUNS, as_json: Json = False) -> None:
    """List the runs, the newest first. `plaudit runs show RUN` shows one."""
    if context.invoked_subcommand is not None:
        return
    found = [_record(run) for run in list_runs(runs_dir)]
    if as_json:
        print_json(found)
        return
    if not found:
        out.print(f"no run in {runs_dir.absolute()} yet; try: plaudit demo", markup=False)
        return
    table = Table("run", "created", "state", "steps", "metric", "before -> after", "gain", box=None)
    for record in found:
        change = f"{figure(record['before'])} -> {figure(record['after'])}"
        cells = (record["run_id"], record["created_at"], record["state"], str(record["steps"]))
        shown = (*cells, record["metric"])
        table.add_row(*(plain(cell) for cell in shown), change, figure(record["gain"]))
    out.print(table)


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="A run's directory, its name, or `latest`.")],
    runs_dir: RunsDir = _RUNS,
    as_json: Json = False,
) -> None:
    """Show one run, finished or not, and bring its report up to date."""
    found = open_run(run, runs_dir)
    report = write_report(found.path)
    summary = found.summary
    if as_json:
        whole = None if summary is None else summary.model_dump()
        print_json(_record(found) | {"report": str(report), "summary": whole})
    elif summary is not None:
        out.print(summary_table(summary))
        out.print(f"report: {report}", markup=False)
    else:
        record = _record(found)
        out.print(f"{found.path}: {record['state']} after {record['steps']} steps", markup=False)
        out.print(f"report so far: {report}", markup=False)
        out.print(f"go on with it: plaudit train --resume {found.path}", markup=False)


def _record(run: Run) -> dict[str, Any]:
    summary = run.summary
    before, after, gain = _metric(summary)
    return {
        "run_id": run.run_id,
        "path": str(run.path),
        "created_at": run.created_at,
        "state": "finished" if summary else "unfinished",
        "steps": summary.steps if summary else _num_lines(run.path / "metrics.jsonl"),
        "metric": summary.metric if isinstance(summary, OfflineSummary) else "accuracy",
        "before": before,
        "after": after,
        "gain": gain,
        "report": str(run.path / REPORT_NAME) if (run.path / REPORT_NAME).exists() else None,
    }


def _metric(
    summary: Summary | OfflineSummary | None,
) -> tuple[float | None, float | None, float | None]:
    """Before, after, gain."""
    if summary is None:
        return None, None, None
    if isinstance(summary, OfflineSummary):
        return summary.before, summary.after, summary.gain
    return summary.accuracy_before, summary.accuracy_after, summary.accuracy_gain


def _num_lines(path: Path) -> int:
    """The learner writes one line for each step."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)
