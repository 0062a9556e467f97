"""The figures at the top of a report."""

from plaudit.report.charts import number
from plaudit.schemas.run import OfflineSummary, Summary

Fact = tuple[str, str]


def facts(summary: Summary | OfflineSummary) -> list[Fact]:
    if isinstance(summary, OfflineSummary):
        return _offline(summary)
    return [
        ("accuracy before", _figure(summary.accuracy_before)),
        ("accuracy after", _figure(summary.accuracy_after)),
        ("gain", _figure(summary.accuracy_gain)),
        *_interval(summary.accuracy_gain_ci95),
        ("held-out prompts", str(summary.num_eval_prompts)),
        ("steps", str(summary.steps)),
        ("wall time", f"{number(summary.wall_s)} s"),
        ("groups/s", number(summary.groups_per_s)),
        ("weight updates", str(summary.weight_updates)),
    ]


def _offline(summary: OfflineSummary) -> list[Fact]:
    metric = summary.metric.replace("_", " ")
    return [
        (f"{metric} before", _figure(summary.before)),
        (f"{metric} after", _figure(summary.after)),
        ("gain", _figure(summary.gain)),
        *_interval(summary.gain_ci95),
        ("held-out rows", str(summary.num_eval_rows)),
        ("steps", str(summary.steps)),
        ("skipped steps", str(summary.skipped_steps)),
        ("wall time", f"{number(summary.wall_s)} s"),
        ("tokens/s", number(summary.tokens_per_s)),
    ]


def _interval(interval: tuple[float, float] | None) -> list[Fact]:
    if interval is None:
        return []
    low, high = interval
    return [("95 % interval of the gain", f"{number(low)} to {number(high)}")]


def _figure(value: float | None) -> str:
    return "-" if value is None else number(value)
