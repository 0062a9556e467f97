"""`plaudit judge VERB INPUT.jsonl`: an evaluation job from a file to a file."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from plaudit.cli.clients import open_judge
from plaudit.cli.file_job import (
    EXIT_INCOMPLETE,
    failures_path,
    progress_shown,
    tell_failures,
    tell_rest,
    tell_summary,
)
from plaudit.cli.judge_summary import estimates_of, summarize
from plaudit.client import ClientOptions
from plaudit.config.overrides import apply_override
from plaudit.errors import ConfigError
from plaudit.file_job.failures import read_failures, write_failures
from plaudit.file_job.progress import Progress
from plaudit.judging import verbs
from plaudit.judging.assess import GOLD_SCORE, GOLD_WINNER, calibrate_request, statistics_request
from plaudit.judging.items import Checked, Source, first_object
from plaudit.judging.preflight import check_service
from plaudit.judging.results import Results
from plaudit.judging.run import Judging
from plaudit.judging.verbs import Verb

_ASSESS_TIMEOUT_S = 120.0
_ALL_ATTEMPTS = 10_000
"""The stall time-out ends the attempts; the number only bounds a service that fails at once."""

app = typer.Typer(
    help="Judge a JSONL file: one request per line in, one answer per line out. The same command "
    "again goes on where it stopped and pays for nothing twice.",
    no_args_is_help=True,
)

Input = Annotated[Path, typer.Argument(help="JSONL, one request per line (docs/judge.md).")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Default: INPUT.VERB.jsonl beside it.")
]
JudgeName = Annotated[str | None, typer.Option("--judge", help="Default: self.")]
RubricName = Annotated[str | None, typer.Option("--rubric", help="Default: the verb's own.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A field that lines leave out, e.g. votes=3 or schedule=swiss."),
]
RunId = Annotated[
    str | None,
    typer.Option("--run-id", help="For costs and stored verdicts. Default: the output's name."),
]
Concurrency = Annotated[int, typer.Option(min=1, max=1024, help="Requests at once.")]
Stall = Annotated[
    float, typer.Option("--stall-timeout-s", min=1.0, help="Give up after so long without answer.")
]
Json = Annotated[bool, typer.Option("--json", help="The summary as JSON.")]


@dataclass(frozen=True)
class Command:
    """What was asked for on the command line."""

    source: Source
    output: Path
    concurrency: int
    stall_timeout_s: float
    as_json: bool


def _add(name: str, text: str, verb: Verb | None) -> None:
    """Without a verb the file is labelled, and says itself what is to be asked."""

    def command(
        input_path: Input,
        output: Output = None,
        judge: JudgeName = None,
        rubric: RubricName = None,
        settings: Set = None,
        run_id: RunId = None,
        concurrency: Concurrency = 32,
        stall_timeout_s: Stall = 600.0,
        as_json: Json = False,
    ) -> None:
        path = output or input_path.with_suffix(f".{name}.jsonl")
        if path == input_path:
            raise ConfigError(f"--output {path} is the input itself.", fix="name another file")
        fields = {"judge": judge, "rubric": rubric, "lane": "eval", "run_id": run_id or path.stem}
        asked, gold = (verb, None) if verb else _labelled(input_path)
        source = Source(input_path, asked, defaults_of(asked, fields, settings or []), gold)
        _execute(Command(source, path, concurrency, stall_timeout_s, as_json))

    app.command(name, help=text)(command)


_add("pairwise", "Which of `a` and `b` is better.", verbs.PAIRWISE)
_add("pointwise", "Score `response` by a rubric.", verbs.POINTWISE)
_add("listwise", "Score all `responses` in one call.", verbs.LISTWISE)
_add("tournament", "Rank `responses` by comparing them.", verbs.TOURNAMENT)
_add("reward", "A number for each of `responses`, from judges that give them.", verbs.REWARD)
_add("calibrate", "Judge pairs or responses whose column `gold` says what is right.", None)


def _labelled(path: Path) -> tuple[Verb, TypeAdapter[Any]]:
    if "response" in first_object(path):
        return verbs.POINTWISE, GOLD_SCORE
    return verbs.PAIRWISE, GOLD_WINNER


def defaults_of(verb: Verb, fields: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Raises ConfigError: the verb has no such field."""
    defaults = {name: value for name, value in fields.items() if value is not None}
    for override in overrides:
        apply_override(defaults, override)
    for name in defaults.keys() - verb.request.model_fields.keys():
        raise ConfigError(
            f"{verb.name} has no field {name!r}.",
            fix=f"it has {', '.join(sorted(verb.request.model_fields))}",
        )
    return defaults


@contextmanager
def answered(command: Command) -> Iterator[tuple[Results, Progress]]:
    """The answers to all items that can be answered; those without one are asked."""
    checked = command.source.check()
    failures = read_failures(failures_path(command.output))
    progress = Progress(checked.num_items, earlier_failures=failures)
    with Results(command.output, command.source.verb) as results:
        try:
            asyncio.run(_judge(command, checked, results, progress))
        except BaseException:
            tell_rest(command.output, progress)
            raise
        finally:
            write_failures(failures_path(command.output), progress.unsolved())
        yield results, progress


def _execute(command: Command) -> None:
    started_s = time.monotonic()
    with answered(command) as (results, progress):
        wall_s = time.monotonic() - started_s
        estimates = asyncio.run(_assess(command, results))
        summary = summarize(results, progress, wall_s) | estimates
        tell_summary(summary, command.output, as_json=command.as_json)
        tell_failures(command.output, progress)
    if progress.failures:
        raise typer.Exit(EXIT_INCOMPLETE)


async def _judge(command: Command, checked: Checked, results: Results, progress: Progress) -> None:
    async with open_judge(ClientOptions()) as client:
        await check_service(client, checked)
    options = ClientOptions(
        timeout_s=command.stall_timeout_s,
        max_attempts=_ALL_ATTEMPTS,
        max_connections=command.concurrency,
    )
    async with open_judge(options) as client:
        with progress_shown(progress):
            judging = Judging(
                client,
                command.source,
                results,
                progress,
                stall_timeout_s=command.stall_timeout_s,
            )
            await judging.run(command.concurrency)


async def _assess(command: Command, results: Results) -> dict[str, Any]:
    """What the service makes of the answers, with intervals."""
    options = ClientOptions(timeout_s=_ASSESS_TIMEOUT_S)
    async with open_judge(options) as client:
        if command.source.gold is not None:
            wanted = calibrate_request(results)
            return {} if wanted is None else estimates_of(await client.calibrate(wanted))
        asked = statistics_request(command.source, results)
        return {} if asked is None else estimates_of(await client.statistics(asked))
