"""Command line: `plaudit-judge api` and `plaudit-judge worker --judge NAME`."""

import asyncio
from typing import Annotated

import typer

from plaudit.config import load_settings
from plaudit.service import guard, run_worker, serve
from plaudit.telemetry import get_logger
from plaudit_judge.app import make_app
from plaudit_judge.judges.make import missing_part
from plaudit_judge.settings import SELF, JudgeSettings
from plaudit_judge.worker import work

log = get_logger(__name__)
app = typer.Typer(
    help="The judge service: pairwise verdicts and tournaments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def api() -> None:
    """Serve the HTTP API (port 8103)."""
    settings = load_settings(JudgeSettings, service="judge")
    serve(make_app(settings), settings)


@app.command()
def worker(
    judge: Annotated[str, typer.Option(help="The judge whose queue this worker drains.")] = SELF,
    if_available: Annotated[
        bool,
        typer.Option(help="End at once, with 0, when the judge lacks its key, package or file."),
    ] = False,
) -> None:
    """Judge what the API queued for one judge. Start as many as there is work for."""
    settings = load_settings(JudgeSettings, service="judge")
    if if_available and judge in settings.judges and (reason := missing_part(settings, judge)):
        log.warning("judge_unavailable", judge=judge, reason=reason)
        return

    async def main(stop: asyncio.Event) -> None:
        await work(settings, judge, stop)

    run_worker(settings, "judge-worker", main)


def main() -> None:
    with guard():
        app()


if __name__ == "__main__":
    main()
