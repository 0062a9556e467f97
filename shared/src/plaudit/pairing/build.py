"""The file of pairs, made anew of all tournaments that there are."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit.judging.items import Source
from plaudit.judging.results import Results
from plaudit.pairing.pairs import Ranked, pairs_of
from plaudit.schemas.judge import TournamentRequest, TournamentResponse


def write_pairs(
    source: Source, results: Results, output: Path, above: float | None
) -> dict[str, int]:
    """In the order of the rows, whole or not at all. How many pairs, and how many rows were
    skipped for which reason. Raises ConfigError when the file cannot be written."""
    counts: Counter[str] = Counter(pairs=0)
    half = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with half.open("w", encoding="utf-8") as file:
            for ranked in _ranked(source, results):
                found = pairs_of(ranked, above)
                if isinstance(found, str):
                    counts[f"skipped_{found}"] += 1
                    continue
                counts["pairs"] += len(found)
                file.writelines(pair.model_dump_json() + "\n" for pair in found)
        half.replace(output)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from error
    return dict(counts)


def _ranked(source: Source, results: Results) -> Iterator[Ranked]:
    answers = {result.id: response for result, response in results.read()}
    for item in source.items():
        request, answer = item.request, answers.get(item.item_id)
        if isinstance(request, TournamentRequest) and isinstance(answer, TournamentResponse):
            yield Ranked(item.item_id, request.prompt, request.responses, answer.ratings)
