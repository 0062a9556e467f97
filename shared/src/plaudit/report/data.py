"""What the report shows, computed from the files of a run. Missing keys make empty sections."""

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from plaudit.report.charts import Chart, bar_chart, line_chart
from plaudit.report.files import Record, RunFiles

_MAX_TEXT_CHARS = 4000
_MAX_SAMPLE_ROWS = 50
_MAX_SAMPLES = 8
_NUM_TIME_COLUMNS = 40


@dataclass(frozen=True)
class StageRow:
    """How long groups spent in one stage, in seconds."""

    name: str
    mean_s: float
    p50_s: float
    p95_s: float
    share: float


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


def reward_chart(files: RunFiles) -> Chart | None:
    """The mean total, then every reward by name, by learner step."""
    series: dict[str, list[tuple[float, float | None]]] = {"total": []}
    for record in files.metrics:
        step = _number(record.get("step"))
        if step is None:
            continue
        series["total"].append((step, _number(record.get("reward/mean", record.get("reward")))))
        rewards = record.get("rewards")
        for name, value in (rewards if isinstance(rewards, dict) else {}).items():
            series.setdefault(str(name), []).append((step, _number(value)))
    return line_chart("Reward", series, x_label="learner step", y_label="mean reward")


def accuracy_chart(files: RunFiles) -> Chart | None:
    """Held-out accuracy before and after: sampled, greedy, and by kind of prompt."""
    columns = []
    for name in ("accuracy", "greedy"):
        columns += _accuracy_pair(name, files.eval_before.get(name), files.eval_after.get(name))
    before, after = (_mapping(e.get("by_kind")) for e in (files.eval_before, files.eval_after))
    for kind in dict.fromkeys([*before, *after]):
        columns += _accuracy_pair(kind, before.get(kind), after.get(kind))
    return bar_chart("Held-out accuracy", columns, x_label="", y_label="accuracy")


def staleness_chart(files: RunFiles) -> Chart | None:
    counts: Counter[int] = Counter()
    for record in files.metrics:
        histogram = _mapping(_mapping(record.get("staleness")).get("histogram"))
        for staleness, count in histogram.items():
            if str(staleness).isdigit() and (value := _number(count)) is not None:
                counts[int(staleness)] += int(value)
    last = max(counts, default=-1)
    columns = [(str(n), {"groups": float(counts[n])}) for n in range(last + 1)]
    return bar_chart("Staleness", columns, x_label="steps behind the learner", y_label="groups")


def time_chart(files: RunFiles) -> Chart | None:
    """Mean seconds by stage; groups in the order in which they were finished, in equal portions."""
    times = [_stage_times(group) for group in files.groups]
    size = max(1, math.ceil(len(times) / _NUM_TIME_COLUMNS))
    columns = []
    for start in range(0, len(times), size):
        portion = times[start : start + size]
        columns.append((str(start + 1), _mean_by_stage(portion)))
    title = "Where each group's time went"
    return bar_chart(title, columns, x_label="group", y_label="seconds")


def stage_rows(files: RunFiles) -> list[StageRow]:
    by_stage: dict[str, list[float]] = defaultdict(list)
    for group in files.groups:
        for stage, seconds in _stage_times(group).items():
            by_stage[stage].append(seconds)
    everything = sum(sum(values) for values in by_stage.values()) or 1.0
    return [
        StageRow(
            stage,
            sum(values) / len(values),
            _quantile(values, 0.5),
            _quantile(values, 0.95),
            sum(values) / everything,
        )
        for stage, values in by_stage.items()
    ]


def policy_chart(files: RunFiles) -> Chart | None:
    """Which version each engine served, in seconds since the first record."""
    series: dict[str, list[tuple[float, float | None]]] = {}
    times = [time for record in files.policy if (time := _number(record.get("time"))) is not None]
    for record in files.policy:
        time = _number(record.get("time"))
        if time is not None:
            points = series.setdefault(str(record.get("replica_id", "?")), [])
            points.append((time - min(times), _number(record.get("version"))))
    for points in series.values():
        points.append((max(times) - min(times), points[-1][1]))
    title = "Policy version on each engine"
    return line_chart(title, series, x_label="seconds", y_label="version", steps=True)


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


def _accuracy_pair(name: str, before: Any, after: Any) -> list[tuple[str, dict[str, float]]]:
    values = {"before": _number(before), "after": _number(after)}
    return [
        (f"{name} {when}" if when == "before" else "after", {when: value})
        for when, value in values.items()
        if value is not None
    ]


def _stage_times(group: Record) -> dict[str, float]:
    times = _mapping(group.get("times"))
    return {
        str(stage): seconds
        for stage, value in times.items()
        if (seconds := _number(value)) is not None and seconds >= 0
    }


def _mean_by_stage(portion: list[dict[str, float]]) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for times in portion:
        for stage, seconds in times.items():
            totals[stage] += seconds
    return {stage: total / len(portion) for stage, total in totals.items()}


def _quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


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
            rewards={
                visible(name): _number(value)
                for name, value in _mapping(sample.get("rewards")).items()
            },
            total=_number(sample.get("total")),
        )
        for sample in samples[:_MAX_SAMPLES]
    ]


def _prompt_text(prompt: Any) -> str:
    if not isinstance(prompt, list):
        return "" if prompt is None else str(prompt)
    messages = [message for message in prompt if isinstance(message, dict)]
    return "\n".join(f"{m.get('role', '')}: {m.get('content', '')}" for m in messages)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
