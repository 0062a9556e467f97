"""`plaudit generate PROMPTS OUT`: batch inference from a file to a file."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

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
from plaudit.errors import ConfigError
from plaudit.file_job.failures import read_failures, write_failures
from plaudit.file_job.journal import Journal
from plaudit.file_job.progress import Progress
from plaudit.generating.endpoint import EndpointGenerator
from plaudit.generating.generator import Generator
from plaudit.generating.job import GenerationJob
from plaudit.generating.prompts import PromptFile, describe
from plaudit.generating.rollouts import RolloutGenerator
from plaudit.schemas.common import MAX_TEMPERATURE
from plaudit.schemas.generate import Ask, GeneratedRow
from plaudit.schemas.rollout import MAX_COMPLETIONS, Sampling

_ALL_ATTEMPTS = 10_000
"""The time-out ends the attempts; the number only bounds a service that fails at once."""
_SERVICE = "the rollout service"


@dataclass(frozen=True)
class _Command:
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


def generate(
    prompts: Annotated[
        Path, typer.Argument(help="JSONL or Parquet: id, prompt (a text or messages), reference.")
    ],
    output: Annotated[Path, typer.Argument(help="JSONL, one line per row, in the rows' order.")],
    endpoint: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible URL up to before /chat/completions."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="What the endpoint calls the model.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Variable that holds the endpoint's key.")
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File that holds the endpoint's key.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, max=MAX_COMPLETIONS, help="Completions per row.")] = 1,
    temperature: Annotated[float, typer.Option(min=0.0, max=MAX_TEMPERATURE)] = 0.7,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="0: every token, and it is not sent.")] = 20,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of one completion.")] = 512,
    seed: Annotated[int | None, typer.Option(help="Each row's is this plus its number.")] = None,
    strip_think: Annotated[
        bool, typer.Option("--strip-think", help="Cut off what comes before the last </think>.")
    ] = False,
    prompt_column: Annotated[str, typer.Option()] = "prompt",
    id_column: Annotated[str, typer.Option(help="Rows without one are numbered from 0.")] = "id",
    reference_column: Annotated[str, typer.Option(help="Kept beside the answer.")] = "reference",
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Rows at once.")] = 32,
    timeout_s: Annotated[
        float, typer.Option(min=1.0, help="For one row, with all its attempts.")
    ] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Answer every prompt of a file by the rollout service, or by any OpenAI-compatible endpoint.

    The same command again goes on where it stopped: no row is asked twice, none is lost. Rows that
    failed are in OUT.failures.jsonl with the reason, and are asked again by the same command.

    Exit code: 0 every row is answered, 1 some failed or nobody answers, 2 a setting is wrong.
    """
    if (endpoint is None) != (model is None):
        raise ConfigError("--endpoint and --model go together.", fix="give both, or neither")
    if output == prompts:
        raise ConfigError(f"OUT {output} is the prompts' own file.", fix="name another file")
    try:
        sampling = Sampling(
            temperature=temperature, top_p=top_p, top_k=top_k, max_tokens=max_tokens, seed=seed
        )
        key = WithApiKey(api_key_env=api_key_env, api_key_file=api_key_file)
    except ValidationError as error:
        raise ConfigError(error.errors(include_url=False)[0]["msg"]) from None
    ask = Ask(n=n, sampling=sampling)
    options = describe(ask, model or _SERVICE, strip_think=strip_think)
    rows = PromptFile(prompts, options, prompt_column, id_column, reference_column)
    _execute(
        _Command(
            rows, output, ask, endpoint, model, key, strip_think, concurrency, timeout_s, as_json
        )
    )


def _execute(command: _Command) -> None:
    order = command.prompts.check()
    failures = failures_path(command.output)
    progress = Progress(len(order), earlier_failures=read_failures(failures))
    what = "a result of `plaudit generate`"
    with Journal(command.output, GeneratedRow.model_validate_json, what) as journal:
        started_s = time.monotonic()
        try:
            asyncio.run(_generate(command, journal, progress))
        except BaseException:
            tell_rest(command.output, progress)
            raise
        finally:
            write_failures(failures, progress.unsolved())
        journal.sort(order)
        _tell(command, journal, progress, time.monotonic() - started_s)
    if progress.failures:
        raise typer.Exit(EXIT_INCOMPLETE)


async def _generate(command: _Command, journal: Journal[GeneratedRow], progress: Progress) -> None:
    async with _generator(command) as generator:
        with progress_shown(progress):
            job = GenerationJob(
                command.prompts, journal, progress, generator, command.ask, command.strip_think
            )
            await job.run(command.concurrency)


@asynccontextmanager
async def _generator(command: _Command) -> AsyncIterator[Generator]:
    """Raises Unavailable, at once, when nobody is there."""
    options = ClientOptions(
        timeout_s=command.timeout_s,
        max_attempts=_ALL_ATTEMPTS,
        max_connections=command.concurrency + 1,
    )
    if command.endpoint is not None and command.model is not None:
        keyed = options.model_copy(update={"api_key": command.key.read_api_key()})
        async with EndpointGenerator(command.endpoint, command.model, keyed) as endpoint:
            await endpoint.check()
            yield endpoint
        return
    async with open_rollout(ClientOptions()) as asked_once:
        await asked_once.policy()
    name = hashlib.sha256(str(command.output.absolute()).encode()).hexdigest()[:16]
    async with open_rollout(options) as client:
        rollouts = RolloutGenerator(client, f"generate-{name}")
        async with rollouts.collecting():
            yield rollouts


def _tell(
    command: _Command, journal: Journal[GeneratedRow], progress: Progress, wall_s: float
) -> None:
    summary: dict[str, Any] = {
        "rows": progress.num_items,
        "answered_now": progress.num_answered,
        "answered_earlier": progress.num_earlier,
        "failed": len(progress.failures),
        **_figures(journal),
        "wall_s": wall_s,
    }
    tell_summary(summary, command.output, as_json=command.as_json)
    tell_failures(command.output, progress)


def _figures(journal: Journal[GeneratedRow]) -> dict[str, int]:
    """Of the whole file."""
    texts = [one for line in journal.read() for one in line.completions]
    return {
        "completions": len(texts),
        "cut_off": sum(one.finish_reason == "length" for one in texts),
    }
