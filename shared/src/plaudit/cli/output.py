"""What the commands print: tables and errors for people, JSON for scripts."""

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from plaudit.errors import PlauditError
from plaudit.local.logs import printable
from plaudit.report.charts import number
from plaudit.schemas.run import OfflineSummary, Summary

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output and nothing else."""
    out.file.write(json.dumps(value, indent=2, default=str) + "\n")


def print_error(error: PlauditError) -> None:
    """What is wrong, and what to do about it."""
    message = Text("error: ", style="bold red")
    message.append(
        "\n".join(printable(line) for line in error.message.splitlines()), style="default"
    )
    err.print(message)
    if error.fix:
        err.print(Text("fix: ", style="bold green").append(printable(error.fix), style="default"))


def plain(text: str) -> str:
    """Text of others without terminal control, for a place where rich reads markup."""
    return escape(printable(text))


def figure(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{number(value)}{unit}"


def summary_table(summary: Summary | OfflineSummary) -> Table:
    """The result of a run on one screen."""
    table = Table(title=f"Run {plain(summary.run_id)}", show_header=False, title_justify="left")
    table.add_column(style="dim")
    table.add_column()
    for name, value in summary_rows(summary):
        table.add_row(name, value)
    return table


def summary_rows(summary: Summary | OfflineSummary) -> list[tuple[str, str]]:
    if isinstance(summary, OfflineSummary):
        return _offline_summary_rows(summary)
    between = _between(summary.accuracy_gain_ci95)
    ledger = summary.ledger
    dropped = ", ".join(f"{plain(reason)} {n}" for reason, n in ledger.dropped.items()) or "none"
    closed = "closed" if ledger.is_closed() else "NOT CLOSED"
    rows = [
        ("accuracy before", figure(summary.accuracy_before)),
        ("accuracy after", figure(summary.accuracy_after)),
        ("gain", figure(summary.accuracy_gain) + between),
        ("greedy", f"{figure(summary.greedy_before)} -> {figure(summary.greedy_after)}"),
        ("held-out prompts", str(summary.num_eval_prompts)),
        ("steps", f"{summary.steps} in {figure(summary.wall_s, ' s')}"),
        ("throughput", figure(summary.groups_per_s, " groups/s")),
        ("staleness", _pairs(summary.staleness)),
        ("weight updates", str(summary.weight_updates)),
        (
            "ledger",
            f"{ledger.admitted} admitted = {ledger.trained} trained + dropped ({dropped}) + "
            f"{ledger.in_flight} in flight: {closed}",
        ),
        ("time", _pairs(summary.time_s, " s")),
    ]
    if summary.restarts:
        rows.append(("restarts", _pairs(summary.restarts)))
    return rows


def _offline_summary_rows(summary: OfflineSummary) -> list[tuple[str, str]]:
    metric = plain(summary.metric)
    rows = [
        ("method", plain(summary.method)),
        (f"{metric} before", figure(summary.before)),
        (f"{metric} after", figure(summary.after)),
        ("gain", figure(summary.gain) + _between(summary.gain_ci95)),
        ("held-out rows", str(summary.num_eval_rows)),
        ("steps", f"{summary.steps} in {figure(summary.wall_s, ' s')}"),
        ("throughput", figure(summary.tokens_per_s, " tokens/s")),
    ]
    if summary.skipped_steps:
        rows.append(("skipped steps", str(summary.skipped_steps)))
    if summary.restarts:
        rows.append(("restarts", _pairs(summary.restarts)))
    return rows


def _between(interval: tuple[float, float] | None) -> str:
    return f"  (95 %: {number(interval[0])} to {number(interval[1])})" if interval else ""


def _pairs(values: dict[str, float] | dict[str, int], unit: str = "") -> str:
    return (
        ", ".join(f"{plain(name)} {number(value)}{unit}" for name, value in values.items()) or "-"
    )
