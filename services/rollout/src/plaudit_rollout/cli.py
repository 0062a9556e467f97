"""Command line: `plaudit-rollout engine`, `api` and `worker`."""

import asyncio

import typer

from plaudit.config import load_settings
from plaudit.service import guard, run_worker, serve
from plaudit_rollout.settings import RolloutSettings

app = typer.Typer(
    help="The rollout service: prompts in, groups of completions out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def engine() -> None:
    """Run vLLM and keep it running (port 8201 plus the replica's index)."""
    from plaudit_rollout.engine.supervisor import supervise

    settings = load_settings(RolloutSettings, service="rollout")

    async def main(stop: asyncio.Event) -> None:
        await supervise(settings, stop)

    run_worker(settings, "rollout-engine", main)


@app.command()
def api() -> None:
    """Serve the HTTP API (port 8101)."""
    from plaudit_rollout.app import make_app

    settings = load_settings(RolloutSettings, service="rollout")
    serve(make_app(settings), settings)


@app.command()
def worker() -> None:
    """Generate with the engine at PLAUDIT_ROLLOUT_ENGINE_URL and keep it at the newest version."""
    from plaudit_rollout.worker import work

    settings = load_settings(RolloutSettings, service="rollout")

    async def main(stop: asyncio.Event) -> None:
        await work(settings, stop)

    run_worker(settings, "rollout-worker", main)


def main() -> None:
    with guard():
        app()


if __name__ == "__main__":
    main()
