"""What a job from a file to a file shows: how far it is, what failed, how to go on."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from plaudit.cli.output import err, figure, out, plain, print_json
from plaudit.file_job.progress import Progress
from plaudit.local.logs import printable

EXIT_INCOMPLETE = 1
_PLAIN_EVERY_S = 10.0


def failures_path(output: Path) -> Path:
    return output.with_suffix(".failures.jsonl")


@contextmanager
def progress_shown(progress: Progress) -> Iterator[None]:
    """A bar on a terminal, elsewhere a line now and then; never on standard output."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    plain = _PlainProgress(progress)
    with ProgressBar(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=progress.num_items)

        def changed() -> None:
            bar.update(task, completed=progress.num_done(), description=_failed(progress))
            if not err.is_terminal:
                plain.changed()

        progress.changed = changed
        yield


class _PlainProgress:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._next_s = time.monotonic() + _PLAIN_EVERY_S

    def changed(self) -> None:
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _PLAIN_EVERY_S
        progress = self._progress
        line = f"{progress.num_done()} of {progress.num_items} items  {_failed(progress)}"
        err.print(line.rstrip(), markup=False)


def _failed(progress: Progress) -> str:
    return f"{len(progress.failures)} failed" if progress.failures else ""


def tell_failures(output: Path, progress: Progress) -> None:
    if not progress.failures:
        return
    first = next(iter(progress.failures.values()))
    err.print(
        f"{len(progress.failures)} items failed, e.g. {first.id}: {printable(first.error)}\n"
        f"all of them: {failures_path(output)}; the same command asks for them again",
        markup=False,
    )


def tell_rest(output: Path, progress: Progress) -> None:
    done = progress.num_earlier + progress.num_answered
    err.print(
        f"{done} of {progress.num_items} items are answered in {output}; "
        "the same command goes on from there",
        markup=False,
    )


def tell_summary(summary: Mapping[str, Any], output: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    table = Table(show_header=False, box=None)
    for name, value in summary.items():
        table.add_row(name.replace("_", " "), plain(_shown(value)))
    out.print(table)
    out.print(f"answers: {output}", markup=False)


def _shown(value: Any) -> str:
    """An estimate with its 95 % interval, a number, a text."""
    if isinstance(value, dict):
        low, high = figure(value["low"]), figure(value["high"])
        return f"{figure(value['value'])}  (95 %: {low} to {high}, of {value['num_items']})"
    return figure(value) if isinstance(value, float) or value is None else str(value)
