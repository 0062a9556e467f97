"""What the report shows, computed from the files of a run. Missing keys make empty sections."""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from plaudit.report.charts import Chart, bar_chart, line_chart
from plaudit.report.files import RunFiles, finite_number, mapping
from plaudit.user_code import short_names

_NUM_TIME_COLUMNS = 40
_NUM_WINDOWS = 20
"""A curve is averaged over windows of about this part of the run."""

Point = tuple[float, float | None]


@dataclass(frozen=True)
class StageRow:
    """How long groups spent in one stage, in seconds."""

    name: str
    mean_s: float
    p50_s: float
    p95_s: float
    share: float


def reward_chart(files: RunFiles) -> Chart | None:
    """The mean total and the mean of every reward, by learner step; noise is averaged out."""
    series: dict[str, list[Point]] = {"total": []}
    for record in files.metrics:
        step = finite_number(record.get("step"))
        if step is None:
            continue
        series["total"].append((step, finite_number(record.get("reward"))))
        for name, value in mapping(record.get("rewards")).items():
            mean = finite_number(mapping(value).get("mean"))
            series.setdefault(str(name), []).append((step, mean))
    window = max(1, math.ceil(len(files.metrics) / _NUM_WINDOWS))
    shown = short_names(series)
    smooth = {shown[name]: _running_mean(points, window) for name, points in series.items()}
    over = f", mean of {window} steps" if window > 1 else ""
    return line_chart("Reward", smooth, x_label="learner step", y_label=f"mean reward{over}")


def accuracy_chart(files: RunFiles) -> Chart | None:
    """Held-out accuracy before and after: sampled, greedy, and by kind of prompt."""
    before, after = files.eval_before, files.eval_after
    columns = _before_and_after("sampled", before.get("accuracy"), after.get("accuracy"))
    columns += _before_and_after("greedy", before.get("greedy"), after.get("greedy"))
    kinds_before, kinds_after = mapping(before.get("by_kind")), mapping(after.get("by_kind"))
    for kind in dict.fromkeys([*kinds_before, *kinds_after]):
        columns += _before_and_after(str(kind), kinds_before.get(kind), kinds_after.get(kind))
    title = "Held-out accuracy"
    return bar_chart(title, columns, x_label="", y_label="accuracy", per_label=2)


def staleness_chart(files: RunFiles) -> Chart | None:
    counts: Counter[int] = Counter()
    for record in files.metrics:
        histogram = mapping(mapping(record.get("staleness")).get("histogram"))
        for staleness, count in histogram.items():
            if str(staleness).isdigit() and (value := finite_number(count)) is not None:
                counts[int(staleness)] += int(value)
    last = max(counts, default=-1)
    columns = [(str(n), {"groups": float(counts[n])}) for n in range(last + 1)]
    return bar_chart("Staleness", columns, x_label="steps behind the learner", y_label="groups")


def time_chart(files: RunFiles) -> Chart | None:
    """Mean seconds by stage; groups in the order in which they were finished, in portions."""
    columns = _mean_columns([_seconds(group.get("times")) for group in files.groups])
    title = "Where each group's time went"
    return bar_chart(title, columns, x_label="groups, as they were finished", y_label="seconds")


def learner_chart(files: RunFiles) -> Chart | None:
    """Mean seconds of a step by part. The first step waits for engines to start; it is left out."""
    steps = [record for record in files.metrics if (finite_number(record.get("step")) or 0) > 1]
    columns = _mean_columns([_seconds(record.get("time_s")) for record in steps], first=2)
    title = "Where each learner step's time went"
    return bar_chart(title, columns, x_label="learner step", y_label="seconds")


def stage_rows(files: RunFiles) -> list[StageRow]:
    by_stage: dict[str, list[float]] = defaultdict(list)
    for group in files.groups:
        for stage, seconds in _seconds(group.get("times")).items():
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
    times = [
        time for record in files.policy if (time := finite_number(record.get("time"))) is not None
    ]
    for record in files.policy:
        time = finite_number(record.get("time"))
        if time is not None:
            points = series.setdefault(str(record.get("replica_id", "?")), [])
            points.append((time - min(times), finite_number(record.get("version"))))
    for points in series.values():
        points.append((max(times) - min(times), points[-1][1]))
    title = "Policy version on each engine"
    return line_chart(title, series, x_label="seconds", y_label="version", steps=True)


def _running_mean(points: list[Point], window: int) -> list[Point]:
    """Over the last `window` values that are there; missing stays missing."""
    recent: deque[float] = deque(maxlen=window)
    smooth: list[Point] = []
    for x, y in points:
        if y is not None:
            recent.append(y)
        smooth.append((x, None if y is None else sum(recent) / len(recent)))
    return smooth


def _before_and_after(name: str, before: Any, after: Any) -> list[tuple[str, dict[str, float]]]:
    """Two columns, or none; a value that is missing leaves its column empty."""
    values = {"before": finite_number(before), "after": finite_number(after)}
    if all(value is None for value in values.values()):
        return []
    return [(name, {} if value is None else {when: value}) for when, value in values.items()]


def _seconds(times: Any) -> dict[str, float]:
    return {
        str(stage): seconds
        for stage, value in mapping(times).items()
        if (seconds := finite_number(value)) is not None and seconds >= 0
    }


def _mean_columns(
    times: list[dict[str, float]], first: int = 1
) -> list[tuple[str, dict[str, float]]]:
    """Portions of equal size with their means, named after their first; counted from `first`."""
    size = max(1, math.ceil(len(times) / _NUM_TIME_COLUMNS))
    return [
        (str(start + first), _mean_by_stage(times[start : start + size]))
        for start in range(0, len(times), size)
    ]


def _mean_by_stage(portion: list[dict[str, float]]) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for times in portion:
        for stage, seconds in times.items():
            totals[stage] += seconds
    return {stage: total / len(portion) for stage, total in totals.items()}


def _quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
