"""Running `plaudit generate`: who answers, what is shown, what is left."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from plaudit.cli.clients import open_rollout
from plaudit.cli.file_job import (
    EXIT_INCOMPLETE,
    failures_path,
    progress_shown,
    tell_failures,
    tell_rest,
    tell_summary,
)
from plaudit.client import ClientOptions
from plaudit.config.api_key import WithApiKey
from plaudit.file_job.failures import read_failures, write_failures
from plaudit.file_job.journal import Journal
from plaudit.file_job.progress import Progress
from plaudit.generating.endpoint import EndpointGenerator
from plaudit.generating.generator import Generator
from plaudit.generating.job import GenerationJob
from plaudit.generating.prompts import PromptFile
from plaudit.generating.rollouts import RolloutGenerator
from plaudit.schemas.generate import Ask, GeneratedRow

_ALL_ATTEMPTS = 10_000
"""The time-out ends the attempts; the number only bounds a service that fails at once."""


@dataclass(frozen=True)
class Generation:
    """What was asked for on the command line. Without `endpoint`: the rollout service."""

    prompts: PromptFile
    output: Path
    ask: Ask
    endpoint: str | None
    model: str | None
    key: WithApiKey
    strip_think: bool
    concurrency: int
    timeout_s: float
    as_json: bool


def execute(asked: Generation) -> None:
    order = asked.prompts.check()
    failures = failures_path(asked.output)
    progress = Progress(len(order), earlier_failures=read_failures(failures))
    what = "a result of `plaudit generate`"
    with Journal(asked.output, GeneratedRow.model_validate_json, what) as journal:
        started_s = time.monotonic()
        try:
            asyncio.run(_generate(asked, journal, progress))
        except BaseException:
            tell_rest(asked.output, progress)
            raise
        finally:
            write_failures(failures, progress.unsolved())
        journal.sort(order)
        _tell(asked, journal, progress, time.monotonic() - started_s)
    if progress.failures:
        raise typer.Exit(EXIT_INCOMPLETE)


async def _generate(asked: Generation, journal: Journal[GeneratedRow], progress: Progress) -> None:
    async with _generator(asked) as generator:
        with progress_shown(progress):
            job = GenerationJob(
                asked.prompts, journal, progress, generator, asked.ask, asked.strip_think
            )
            await job.run(asked.concurrency)


@asynccontextmanager
async def _generator(asked: Generation) -> AsyncIterator[Generator]:
    """Raises Unavailable, at once, when nobody is there."""
    options = ClientOptions(
        timeout_s=asked.timeout_s,
        max_attempts=_ALL_ATTEMPTS,
        max_connections=asked.concurrency + 1,
    )
    if asked.endpoint is not None and asked.model is not None:
        keyed = options.model_copy(update={"api_key": asked.key.read_api_key()})
        async with EndpointGenerator(asked.endpoint, asked.model, keyed) as endpoint:
            await endpoint.check()
            yield endpoint
        return
    async with open_rollout(ClientOptions()) as asked_once:
        await asked_once.policy()
    name = hashlib.sha256(str(asked.output.absolute()).encode()).hexdigest()[:16]
    async with open_rollout(options) as client:
        rollouts = RolloutGenerator(client, f"generate-{name}")
        async with rollouts.collecting():
            yield rollouts


def _tell(
    asked: Generation, journal: Journal[GeneratedRow], progress: Progress, wall_s: float
) -> None:
    summary: dict[str, Any] = {
        "rows": progress.num_items,
        "answered_now": progress.num_answered,
        "answered_earlier": progress.num_earlier,
        "failed": len(progress.failures),
        **_figures(journal),
        "wall_s": wall_s,
    }
    tell_summary(summary, asked.output, as_json=asked.as_json)
    tell_failures(asked.output, progress)


def _figures(journal: Journal[GeneratedRow]) -> dict[str, int]:
    """Of the whole file."""
    texts = [one for line in journal.read() for one in line.completions]
    return {
        "completions": len(texts),
        "cut_off": sum(one.finish_reason == "length" for one in texts),
    }
