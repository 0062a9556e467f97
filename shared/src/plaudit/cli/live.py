"""The live view of a run: built from `RunStatus` and the states of the processes, nothing else."""

import time
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from plaudit.cli.output import figure, plain
from plaudit.local.logs import printable
from plaudit.local.supervisor import Process
from plaudit.report.charts import number
from plaudit.schemas.run import OfflineStatus, RunStatus

_PLAIN_EVERY_S = 10.0
_TOOL_EVERY_S = 5.0
_MAX_WAITING = 8
Status = TypeVar("Status", bound=RunStatus | OfflineStatus | None)
Render = Callable[[Status, dict[str, Process]], RenderableType]
Line = Callable[[Status, dict[str, Process]], str]
_STATE_STYLE = {"ready": "green", "done": "green", "failed": "red", "backing off": "red"}


class LiveView(Generic[Status]):
    """A view that redraws itself in place on a terminal."""

    def __init__(self, console: Console, render: Render[Status]) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._render: Render[Status] = render

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, status: Status, processes: dict[str, Process]) -> None:
        self._live.update(self._render(status, processes), refresh=True)

    def event(self, text: str) -> None:
        self._live.console.print(Text(printable(text), style="dim"))


class PlainView(Generic[Status]):
    """A line now and then, for logs and pipes; only trouble when `quiet`."""

    def __init__(self, console: Console, line: Line[Status], *, quiet: bool = False) -> None:
        self._console = console
        self._line: Line[Status] = line
        self._quiet = quiet
        self._next_s = 0.0
        self._state: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, status: Status, processes: dict[str, Process]) -> None:
        state = None if status is None else status.state
        if self._quiet or (state == self._state and time.monotonic() < self._next_s):
            return
        self._state = state
        self._next_s = time.monotonic() + _PLAIN_EVERY_S
        self._console.print(Text(self._line(status, processes)))

    def event(self, text: str) -> None:
        if not self._quiet:
            self._console.print(Text(printable(text), style="dim"))


def view_of(
    console: Console, render: Render[Status], line: Line[Status], *, quiet: bool
) -> LiveView[Status] | PlainView[Status]:
    if console.is_terminal and not quiet:
        return LiveView(console, render)
    return PlainView(console, line, quiet=quiet)


class NowAndThen:
    """Some lines of a program that runs for a while, to show that it does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = time.monotonic() + _TOOL_EVERY_S

    def line(self, name: str, text: str) -> None:
        if time.monotonic() >= self._next_s and not text.startswith("{"):
            self._next_s = time.monotonic() + _TOOL_EVERY_S
            self._console.print(Text(f"{name}: {printable(text)[:200]}", style="dim"))


def render(status: RunStatus | None, processes: dict[str, Process]) -> RenderableType:
    parts: list[RenderableType] = []
    if status is not None:
        parts += [_headline(status), _figures(status), _stages(status)]
        if status.replicas:
            parts.append(_replicas(status))
        parts.append(_waiting(status))
    parts.append(process_states(processes))
    return Group(*parts)


def status_line(status: RunStatus | None, processes: dict[str, Process]) -> str:
    if status is None:
        states = [f"{name} {p.state}" for name, p in processes.items() if p.state != "ready"]
        return f"starting: {', '.join(states) or 'all processes run'}"
    ledger = status.ledger
    parts = [
        f"{status.state} {status.step}/{status.max_steps}",
        f"version {'-' if status.policy_version is None else status.policy_version}",
        f"reward {figure(status.reward)}",
        f"accuracy {figure(status.accuracy)}",
        f"{figure(status.groups_per_s)} groups/s",
        f"{figure(status.tokens_per_s)} tokens/s",
        f"staleness {figure(status.staleness_mean)}",
        f"in flight {ledger.in_flight}",
        f"trained {ledger.trained}",
        f"dropped {sum(ledger.dropped.values())}",
    ]
    parts += [_wait_text(w.who, w.what, w.since_s) for w in status.waiting[:2]]
    return "  ".join(parts)


def _headline(status: RunStatus) -> Text:
    width = 30
    done = round(width * min(1.0, status.step / max(1, status.max_steps)))
    text = Text(f"{printable(status.run_id)}  ", style="bold")
    text.append(status.state, style="red" if status.state == "failed" else "cyan")
    text.append(f"  step {status.step}/{status.max_steps}  ")
    text.append("#" * done, style="green").append("." * (width - done), style="dim")
    return text


def _figures(status: RunStatus) -> Table:
    ledger = status.ledger
    shown = {
        "groups/s": figure(status.groups_per_s),
        "tokens/s": figure(status.tokens_per_s),
        "reward": figure(status.reward),
        "accuracy": figure(status.accuracy),
        "staleness": figure(status.staleness_mean),
        "version": "-" if status.policy_version is None else str(status.policy_version),
        "in flight": str(ledger.in_flight),
        "trained": str(ledger.trained),
        "dropped": str(sum(ledger.dropped.values())),
        "oldest group": figure(status.oldest_group_age_s, " s"),
    }
    table = Table(box=None, pad_edge=False)
    for name in shown:
        table.add_column(name, header_style="dim", justify="right")
    table.add_row(*shown.values())
    return table


def _stages(status: RunStatus) -> Table:
    table = Table("stage", box=None, pad_edge=False, header_style="dim")
    for name in ("queued", "running", "done", "failed"):
        table.add_column(name, justify="right")
    for stage in status.stages:
        failed = f"[red]{stage.failed}[/red]" if stage.failed else "0"
        counts = (str(stage.queued), str(stage.running), str(stage.done), failed)
        table.add_row(plain(stage.name), *counts)
    return table


def _replicas(status: RunStatus) -> Table:
    columns = ("engine", "version", "state", "loads", "last pause", "")
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for replica in status.replicas:
        table.add_row(
            plain(replica.replica_id),
            "-" if replica.version is None else str(replica.version),
            replica.state,
            str(replica.num_loads),
            figure(replica.pause_s, " s"),
            plain((replica.error or "")[:120]),
        )
    return table


def _waiting(status: RunStatus) -> Text:
    lines = [_wait_text(w.who, w.what, w.since_s) for w in status.waiting[:_MAX_WAITING]]
    if len(status.waiting) > _MAX_WAITING:
        lines.append(f"and {len(status.waiting) - _MAX_WAITING} more")
    return Text("\n".join(lines) or "nobody waits", style="yellow" if lines else "dim")


def _wait_text(who: str, what: str, since_s: float) -> str:
    return f"{printable(who)} waits for {printable(what)[:160]}, {number(since_s)} s"


def process_states(processes: dict[str, Process]) -> Text:
    text = Text()
    for name, process in processes.items():
        again = f" ({process.restarts} restarts)" if process.restarts else ""
        text.append(f"{name} ", style="dim")
        text.append(f"{process.state}{again}  ", style=_STATE_STYLE.get(process.state, "yellow"))
    return text
