"""The table of sample rollouts: prompts with their answers before and after training."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from plaudit.report.files import Record, RunFiles, finite_number, mapping
from plaudit.user_code import short_names

_MAX_TEXT_CHARS = 4000
_MAX_SAMPLE_ROWS = 50
_MAX_SAMPLES = 8


@dataclass(frozen=True)
class Sample:
    """One completion with every reward beside it; null means that it could not be computed."""

    text: str
    rewards: dict[str, float | None]
    total: float | None


@dataclass(frozen=True)
class SampleRow:
    id: str
    kind: str
    prompt: str
    before: list[Sample]
    after: list[Sample]


def sample_rows(files: RunFiles) -> list[SampleRow]:
    """Prompts that were answered before or after training, by id."""
    before, after = _rows_by_id(files.eval_before), _rows_by_id(files.eval_after)
    rows = []
    for key in list(dict.fromkeys([*before, *after]))[:_MAX_SAMPLE_ROWS]:
        row = after.get(key) or before[key]
        rows.append(
            SampleRow(
                id=visible(key),
                kind=visible(row.get("kind", "")),
                prompt=visible(_prompt_text(row.get("prompt"))),
                before=_samples(before.get(key, {})),
                after=_samples(after.get(key, {})),
            )
        )
    return rows


def visible(value: object, max_chars: int = _MAX_TEXT_CHARS) -> str:
    """Bounded text; control, surrogate and direction-changing characters are spelled out."""
    text = str(value)
    cut = f" [... {len(text) - max_chars} more]" if len(text) > max_chars else ""
    return "".join(_spelled(c) for c in text[:max_chars]) + cut


def _spelled(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
        return character
    return f"\\u{ord(character):04x}"


def _rows_by_id(evaluation: Record) -> dict[str, Record]:
    rows = evaluation.get("rows")
    records = rows if isinstance(rows, list) else []
    return {str(row.get("id")): row for row in records if isinstance(row, dict)}


def _samples(row: Record) -> list[Sample]:
    found = row.get("samples")
    samples = [s for s in (found if isinstance(found, list) else []) if isinstance(s, dict)]
    return [
        Sample(
            text=visible(sample.get("text", "")),
            rewards=_rewards(mapping(sample.get("rewards"))),
            total=finite_number(sample.get("total")),
        )
        for sample in samples[:_MAX_SAMPLES]
    ]


def _rewards(values: Record) -> dict[str, float | None]:
    shown = short_names(map(str, values))
    return {visible(shown[str(name)]): finite_number(value) for name, value in values.items()}


def _prompt_text(prompt: Any) -> str:
    if not isinstance(prompt, list):
        return "" if prompt is None else str(prompt)
    messages = [message for message in prompt if isinstance(message, dict)]
    return "\n".join(f"{m.get('role', '')}: {m.get('content', '')}" for m in messages)
