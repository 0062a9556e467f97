"""The `plaudit` command."""

import importlib
import importlib.util
import os
import sys
from importlib import metadata
from typing import Annotated

import typer

from plaudit.cli import data, doctor, generate, judge, pairs, pipeline, runs, train, up
from plaudit.cli.output import out, print_error
from plaudit.errors import ConfigError, PlauditError
from plaudit.local.environment import Environment
from plaudit.local.interrupts import Interrupted
from plaudit.local.redis import running_redis

EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    help="Plaudit trains language models by reinforcement learning in which every reward is a"
    " service.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors, also of the services.")
    ] = False,
) -> None:
    if version:
        out.print(f"plaudit {metadata.version('plaudit')}", markup=False)
        raise typer.Exit
    if debug:
        os.environ["PLAUDIT_DEBUG"] = "1"
    if context.invoked_subcommand == "queue" and (url := running_redis(Environment())):
        os.environ.setdefault("PLAUDIT_REDIS_URL", url)
    elif context.invoked_subcommand is None:
        out.print(context.get_help(), markup=False)
        raise typer.Exit(EXIT_CONFIG)


app.command()(up.up)
app.command()(train.train)
app.command()(train.demo)
app.command()(pipeline.pipeline)
app.command()(generate.generate)
app.command()(pairs.pairs)
app.command()(doctor.doctor)
app.add_typer(runs.app, name="runs")
app.add_typer(judge.app, name="judge")
app.add_typer(data.app, name="data")
if importlib.util.find_spec("plaudit.queue.cli") is not None:
    app.add_typer(importlib.import_module("plaudit.queue.cli").queue_app, name="queue")


def main() -> None:
    """Exit codes: 1 something failed, 2 a setting is wrong, 130 stopped by Ctrl-C."""
    try:
        app()
    except PlauditError as error:
        if os.environ.get("PLAUDIT_DEBUG") == "1":
            raise
        print_error(error)
        sys.exit(EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED)
    except (Interrupted, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away; keep Python from failing again at its last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
