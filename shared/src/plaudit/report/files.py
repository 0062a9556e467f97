"""Reading a run directory, as far as it got: a missing file or a half-written line is no error."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from plaudit.schemas.run import OfflineSummary, Summary

Record = dict[str, Any]
_SUMMARY: TypeAdapter[Summary | OfflineSummary] = TypeAdapter(Summary | OfflineSummary)
MAX_FILE_BYTES = 256 * 2**20
"""Of a longer file only the first part is read."""


@dataclass
class RunFiles:
    """What a run directory holds."""

    path: Path
    recipe: str = ""
    run: Record = field(default_factory=dict)
    summary: Summary | OfflineSummary | None = None
    metrics: list[Record] = field(default_factory=list)
    groups: list[Record] = field(default_factory=list)
    policy: list[Record] = field(default_factory=list)
    eval_before: Record = field(default_factory=dict)
    eval_after: Record = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Files that could not be read, with the reason."""


def read_run(path: Path) -> RunFiles:
    """Never raises for what the run wrote; see `RunFiles.problems`."""
    files = RunFiles(path)
    files.recipe = _text(path / "recipe.toml", files)
    files.run = _json(path / "run.json", files)
    files.summary = read_summary(path, files.problems)
    files.metrics = list(_jsonl(path / "metrics.jsonl", files))
    files.groups = list(_jsonl(path / "groups.jsonl", files))
    files.policy = list(_jsonl(path / "policy.jsonl", files))
    files.eval_before = _json(path / "eval_before.json", files)
    files.eval_after = _json(path / "eval_after.json", files)
    return files


def read_summary(path: Path, problems: list[str] | None = None) -> Summary | OfflineSummary | None:
    """The summary of a finished run; None when there is none or it is not one."""
    try:
        return _SUMMARY.validate_json((path / "summary.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        if problems is not None:
            problems.append(f"summary.json: {error}")
        return None


def _text(path: Path, files: RunFiles) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        files.problems.append(f"{path.name}: {error}")
        return ""


def _json(path: Path, files: RunFiles) -> Record:
    text = _text(path, files)
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        files.problems.append(f"{path.name}: {error}")
        return {}
    return value if isinstance(value, dict) else {}


def _jsonl(path: Path, files: RunFiles) -> Iterator[Record]:
    num_bad = 0
    for line in _text(path, files).splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            num_bad += 1
            continue
        if isinstance(record, dict):
            yield record
    if num_bad:
        files.problems.append(f"{path.name}: {num_bad} lines are not JSON (cut short by a crash?)")


def mapping(value: Any) -> dict[str, Any]:
    """`value`, or an empty one where a file holds something else."""
    return value if isinstance(value, dict) else {}


def finite_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
