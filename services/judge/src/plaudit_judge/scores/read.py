"""Read the scores out of a judge's reply. Only the judge's own text is ever passed in here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plaudit.schemas.judge import Scale
from plaudit_judge.parse import is_json, read_object
from plaudit_judge.rubric_texts import LETTERS
from plaudit_judge.scores.criteria import on_scale
from plaudit_judge.scores.tables import table_lines
from plaudit_judge.scores.words import Entry, WordReader

Scored = dict[str, float | None]
"""Of one answer, by criterion; missing or None where the judge gave no score on the scale."""


@dataclass(frozen=True)
class ReadScores:
    scores: list[Scored]
    """By answer, in the order shown."""
    reasons: str


def read_scores(
    text: str, num_responses: int, scales: Mapping[str, Scale], *, structured: bool
) -> ReadScores:
    """From JSON, whether the judge was held to it or chose it, else from words.

    JSON that was cut off has no scores: what its reasons quote is none.
    """
    letters = [""] if num_responses == 1 else list(LETTERS[:num_responses])
    found = read_object(text)
    if found is not None:
        reasons = found.get("reasons")
        scores = _of_object(found.get("scores", found), letters, scales)
        return ReadScores(scores, reasons if isinstance(reasons, str) else "")
    if structured and is_json(text):
        return ReadScores([{} for _ in letters], text)
    entries = _entries(text, letters, scales)
    block = last_block(entries, [(letter, name) for letter in letters for name in scales])
    return ReadScores(
        [{name: block.get((letter, name)) for name in scales} for letter in letters], text
    )


def _of_object(scores: Any, letters: Sequence[str], scales: Mapping[str, Scale]) -> list[Scored]:
    given = scores if isinstance(scores, dict) else {}
    parts = [given if letter == "" else given.get(letter) for letter in letters]
    return [
        {name: _number(part.get(name), scale) for name, scale in scales.items()}
        if isinstance(part, dict)
        else {}
        for part in parts
    ]


def _number(value: Any, scale: Scale) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    found = on_scale(value, scale)
    return None if found is None else float(found)


def _entries(text: str, letters: Sequence[str], scales: Mapping[str, Scale]) -> list[Entry]:
    reader = WordReader(letters, scales)
    lines = table_lines(text, are_named=letters != [""])
    return [entry for line in lines for entry in reader.read(line)]


def last_block(
    entries: Sequence[Entry], order: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], float | None]:
    """What the judge said in the end, by answer and criterion.

    When a score is given twice (quoted, restated, thought over), the last run of scores in the
    order that was asked for counts, and what that run lacks is missing: what a judge quoted before
    it was cut off does not complete it.
    """
    given = {(entry.letter, entry.criterion): entry.score for entry in entries}
    if len(given) == len(entries):
        return given
    rank = {key: place for place, key in enumerate(order)}
    block: dict[tuple[str, str], float | None] = {}
    lowest = len(rank)
    for letter, criterion, score in reversed(entries):
        if rank[letter, criterion] >= lowest:
            break
        block[letter, criterion], lowest = score, rank[letter, criterion]
    return block
