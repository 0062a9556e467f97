"""`plaudit-sandbox`."""

import typer

from plaudit.config import load_settings
from plaudit.service import guard, serve
from plaudit_sandbox.app import build_app
from plaudit_sandbox.launcher import kernel
from plaudit_sandbox.settings import SandboxSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Run untrusted programs behind the protections that this machine allows."""


@app.command()
def api() -> None:
    """Serve POST /v1/run. Refuses to start below `min_isolation`."""
    settings = load_settings(SandboxSettings, "sandbox")
    # No other process of this user may read our environment, which holds keys.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    serve(build_app(settings), settings)


def main() -> None:
    with guard():
        app()
