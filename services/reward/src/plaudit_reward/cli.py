"""`plaudit-reward`."""

import asyncio
from typing import Annotated

import typer

from plaudit.config import load_settings
from plaudit.service import guard, run_worker, serve
from plaudit_reward.app import build_app
from plaudit_reward.page import render
from plaudit_reward.registry import load_registry
from plaudit_reward.settings import RewardSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Score groups of completions."""


@app.command()
def api() -> None:
    """Serve POST /v1/score, POST /v1/jobs and GET /v1/rewards."""
    settings = load_settings(RewardSettings, "reward")
    serve(build_app(settings), settings)


@app.command()
def worker(
    pool: Annotated[
        str,
        typer.Option(help="rules: in this process; code: through the sandbox; model: by models."),
    ],
) -> None:
    """Work on the queue of one pool of rewards. Start as many as you need."""
    # The API does without the clients and processes that a worker needs.
    from plaudit_reward.worker import checked_pool, work

    settings = load_settings(RewardSettings, "reward")
    name = checked_pool(pool)

    async def main(stop: asyncio.Event) -> None:
        await work(settings, name, stop)

    run_worker(settings, f"reward-{name}", main)


@app.command()
def page() -> None:
    """Print what GET /v1/rewards says as Markdown: docs/rewards.md."""
    typer.echo(render(load_registry().describe()), nl=False)


def main() -> None:
    with guard():
        app()
