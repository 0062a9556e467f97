"""The live view of an offline run: its step, its figures, its process."""

from rich.console import Group, RenderableType
from rich.text import Text

from plaudit.cli.live import process_states
from plaudit.cli.output import figure
from plaudit.local.logs import printable
from plaudit.local.supervisor import Process
from plaudit.schemas.run import OfflineStatus

_BAR_WIDTH = 30


def render(status: OfflineStatus | None, processes: dict[str, Process]) -> RenderableType:
    if status is None:
        return process_states(processes)
    done = round(_BAR_WIDTH * status.step / max(1, status.max_steps))
    headline = Text(f"{printable(status.run_id)}  ", style="bold")
    headline.append(f"{status.state}  ", style="cyan")
    headline.append("#" * done, style="green").append("." * (_BAR_WIDTH - done), style="dim")
    return Group(headline, Text(status_line(status, processes)), process_states(processes))


def status_line(status: OfflineStatus | None, processes: dict[str, Process]) -> str:
    if status is None:
        return "starting: loading the model and the data"
    parts = [
        f"{status.state} {status.step}/{status.max_steps}",
        f"loss {figure(status.loss)}",
        f"held-out {status.metric} {figure(status.value)}",
        f"{figure(status.tokens_per_s)} tokens/s",
    ]
    return "  ".join(parts)
