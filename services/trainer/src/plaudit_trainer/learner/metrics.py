"""metrics.jsonl: one line per step, appended; a resumed run cuts off the steps it will redo."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from plaudit_trainer.learner import disk
from plaudit_trainer.learner.source import Batch, Taken
from plaudit_trainer.replay import ReplayBuffer

FILE_NAME = "metrics.jsonl"


def append_metrics(run_dir: Path, line: dict[str, Any]) -> None:
    """Raises ConfigError when the disk refuses."""
    with disk.writing("the metrics", run_dir):
        disk.append_line(run_dir / FILE_NAME, json.dumps(_finite(line)))


def cut_metrics(run_dir: Path, last_step: int) -> None:
    """Drop the lines after `last_step`, and any that a crash cut short."""
    path = run_dir / FILE_NAME
    if not path.is_file():
        return
    kept = [line for line in path.read_text().splitlines() if _step(line) <= last_step]
    temporary = path.with_suffix(".tmp")
    with disk.writing("the metrics", run_dir):
        temporary.write_text("".join(line + "\n" for line in kept))
        disk.sync(temporary)
        temporary.replace(path)


def batch_figures(batch: Batch) -> dict[str, Any]:
    """What the groups of a step looked like."""
    totals = [t for taken in batch.groups for t in taken.credit.rewards if t is not None]
    completions = [c for taken in batch.groups for c in taken.group.rollout.completions]
    lengths = [len(completion.token_ids) for completion in completions]
    num_truncated = sum(completion.finish_reason != "stop" for completion in completions)
    return {
        "num_groups": len(batch.groups),
        "num_completions": len(completions),
        "num_tokens": sum(lengths),
        "num_masked": len(completions) - len(totals),
        "zero_variance_groups": sum(taken.credit.has_zero_variance for taken in batch.groups),
        "dropped": batch.dropped,
        "reward": _mean(totals),
        "reward_std": _std(totals),
        "rewards": _rewards(batch.groups),
        "completion_tokens": {
            "mean": _mean(lengths),
            "max": max(lengths, default=0),
            "truncated_share": num_truncated / max(1, len(completions)),
        },
        "staleness": _staleness([taken.staleness for taken in batch.groups]),
    }


def replay_figures(batch: Batch, replay: ReplayBuffer | None) -> dict[str, Any]:
    """Of the groups that were trained on again; nothing where the recipe replays none."""
    if replay is None:
        return {}
    ages = [taken.staleness for taken in batch.replayed]
    figures = {"groups": len(ages), "staleness_mean": _mean(ages)}
    return {"replay": {**figures, "size": len(replay), "bytes": replay.num_bytes}}


def _rewards(groups: Iterable[Taken]) -> dict[str, dict[str, float | int | None]]:
    values: dict[str, list[float | None]] = {}
    for taken in groups:
        for score in taken.group.scores:
            for name, value in score.rewards.items():
                values.setdefault(name, []).append(value)
    return {name: _reward(column) for name, column in sorted(values.items())}


def _reward(column: list[float | None]) -> dict[str, float | int | None]:
    known = [value for value in column if value is not None]
    return {"mean": _mean(known), "std": _std(known), "nulls": len(column) - len(known)}


def _staleness(values: list[int]) -> dict[str, Any]:
    histogram = {str(value): number for value, number in sorted(Counter(values).items())}
    return {"mean": _mean(values), "max": max(values, default=0), "histogram": histogram}


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _std(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _finite(value: Any) -> Any:
    """JSON has no NaN: null instead."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
