"""`plaudit up`: services in the foreground."""

import asyncio
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from plaudit.cli.live import NowAndThen
from plaudit.cli.output import err, out
from plaudit.local.data_paths import SEED
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupted, Interrupts
from plaudit.local.lock import directory_lock
from plaudit.local.logs import printable
from plaudit.local.ports import check_ports_free
from plaudit.local.preflight import check_reachable, require_reachable
from plaudit.local.recipes import build_seed
from plaudit.local.redis import DIRECTORY, local_redis
from plaudit.local.services import SERVICES, Model, Topology, with_needs
from plaudit.local.supervisor import Supervisor
from plaudit.local.user_code import dirs_setting

_COLORS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "red")


def up(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help=f"Any of {', '.join(SERVICES)}; default: all."),
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="vLLM engines to start.")] = 1,
    model: Annotated[
        str, typer.Option(help="What the engines serve: a directory, a hub id, or `seed`.")
    ] = SEED,
    max_model_tokens: Annotated[
        int, typer.Option(min=16, help="Prompt and completion together.")
    ] = 1024,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    user_code: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Run rewards in files below it; may be repeated."),
    ] = None,
) -> None:
    """Start services in the foreground, with what they need, until Ctrl-C.

    Each line of their logs has its process in front. What dies is started again, after 1 s at
    first and 15 s at most. A Redis of our own is started unless PLAUDIT_REDIS_URL names one.
    """
    asyncio.run(
        _up(services or [], Model(model, max_model_tokens, dtype), replicas, user_code or [])
    )


async def _up(names: list[str], model: Model, num_replicas: int, user_code: list[Path]) -> None:
    interrupts, environment = Interrupts(), Environment()
    services = with_needs(names)
    dirs = dirs_setting(user_code, environment)
    redis_dir = environment.state_dir / DIRECTORY
    with directory_lock(environment.state_dir):
        redis = None
        if environment.redis_url is None:
            redis = local_redis(redis_dir)
        else:
            require_reachable(await check_reachable(environment, (), environment.redis_url))
        topology = Topology(environment, services, redis, model, num_replicas, extra_env=dirs)
        check_ports_free(topology.ports())
        if "rollout" in services and model.path == SEED:
            err.print("seed model: building it, or finding it built")
            built = await build_seed(environment, interrupts, NowAndThen(err).line)
            model = Model(built["model_dir"], model.max_model_tokens, model.dtype)
            topology = replace(topology, model=model)
        await _run(topology, environment.state_dir / "logs", interrupts)


async def _run(topology: Topology, log_dir: Path, interrupts: Interrupts) -> None:
    specs = topology.specs()
    printer = LinePrinter(out, [spec.name for spec in specs])
    supervisor = Supervisor(
        specs,
        log_dir=log_dir,
        on_line=printer.line,
        on_event=lambda text: printer.line("plaudit", text),
    )
    ready = asyncio.create_task(_announce(supervisor, topology, printer))
    try:
        await interrupts.run(supervisor)
    except Interrupted:
        printer.line("plaudit", "everything is stopped")
        raise
    finally:
        ready.cancel()


async def _announce(supervisor: Supervisor, topology: Topology, printer: "LinePrinter") -> None:
    await supervisor.wait_ready()
    for service in topology.services:
        printer.line("plaudit", f"{service} is at {topology.environment.url(service)}")
    printer.line("plaudit", "everything is ready; Ctrl-C stops it")


class LinePrinter:
    """Log lines with a coloured prefix of equal width."""

    def __init__(self, console: Console, names: list[str]) -> None:
        self._console = console
        self._width = max(len(name) for name in [*names, "plaudit"])
        self._colors = dict(zip(names, cycle(_COLORS), strict=False))

    def line(self, name: str, text: str) -> None:
        style = self._colors.get(name, "bold")
        prefix = Text(f"{name.ljust(self._width)} | ", style=style)
        self._console.print(prefix.append(printable(text), style="default"))
