"""`plaudit pairs GENERATIONS OUT`: preference pairs from tournaments of the judge service."""

import time
from pathlib import Path
from typing import Annotated

import typer

from plaudit.cli.file_job import EXIT_INCOMPLETE, tell_failures, tell_summary
from plaudit.cli.judge import Command, answered, defaults_of
from plaudit.errors import ConfigError
from plaudit.file_job.lines import read_lines
from plaudit.judging import verbs
from plaudit.judging.items import Source
from plaudit.judging.summary import figures_of
from plaudit.pairing.build import write_pairs
from plaudit.pairing.generations import tournament_fields

_RULES = {"rating": "bradley_terry", "bootstrap_resamples": 10}
"""Margins in nats, as a reward model's; their intervals are of no use here."""


def pairs(
    generations: Annotated[
        Path, typer.Argument(help="JSONL with completions, as `plaudit generate --n 4` writes it.")
    ],
    output: Annotated[Path, typer.Argument(help="JSONL, one preference pair per line.")],
    judge: Annotated[str | None, typer.Option("--judge", help="Default: self.")] = None,
    rubric: Annotated[str | None, typer.Option("--rubric", help="Default: sr_r1.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field of the tournaments, e.g. schedule=swiss."),
    ] = None,
    all_above: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="MARGIN", help="All pairs whose ratings differ by more."),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", help="For costs and stored verdicts. Default: the output's name."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Tournaments at once.")] = 32,
    stall_timeout_s: Annotated[
        float, typer.Option(min=1.0, help="Give up after so long without answer.")
    ] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Let the completions of each prompt meet in a tournament, and pair the best with the worst.

    The margin of a pair is the difference of the ratings. Tournaments are kept in
    OUT.tournaments.jsonl: the same command again asks only for those that are missing.

    Exit code: 0 every row is judged, 1 some failed or nobody answers, 2 a setting is wrong.
    """
    if output == generations:
        raise ConfigError(f"OUT {output} is the generations' own file.", fix="name another file")
    fields = {"judge": judge, "rubric": rubric, "lane": "eval", "run_id": run_id or output.stem}
    defaults = defaults_of(verbs.TOURNAMENT, fields | _RULES, settings or [])
    source = Source(generations, verbs.TOURNAMENT, defaults, adapt=tournament_fields)
    tournaments = output.with_suffix(".tournaments.jsonl")
    command = Command(source, tournaments, concurrency, stall_timeout_s, as_json)
    started_s = time.monotonic()
    with answered(command) as (results, progress):
        summary = {
            "tournaments": progress.num_items,
            "answered_now": progress.num_answered,
            "answered_earlier": progress.num_earlier,
            "failed": len(progress.failures),
            "skipped_one_answer": _num_lines(generations) - progress.num_items,
            **write_pairs(source, results, output, all_above),
            **figures_of(response for _, response in results.read()),
            "wall_s": time.monotonic() - started_s,
        }
        tell_summary(summary, output, as_json=as_json)
        tell_failures(tournaments, progress)
    if progress.failures:
        raise typer.Exit(EXIT_INCOMPLETE)


def _num_lines(path: Path) -> int:
    return sum(1 for line in read_lines(path) if line.strip())
