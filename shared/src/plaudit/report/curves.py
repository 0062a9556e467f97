"""Curves over the learner's steps: everything that metrics.jsonl says, of every method alike."""

from dataclasses import dataclass
from typing import Any

from plaudit.report.charts import Chart, line_chart
from plaudit.report.files import RunFiles, finite_number, mapping


@dataclass(frozen=True)
class Curve:
    """`paths`: name in the legend -> names on the way to the value in a line of metrics."""

    title: str
    y_label: str
    paths: dict[str, tuple[str, ...]]


CURVES = (
    Curve("Loss", "loss", {"policy": ("loss",), "value": ("value_loss",)}),
    Curve(
        "KL divergence",
        "nats per token",
        {"policy to reference": ("kl",), "engine to learner": ("engine", "kl")},
    ),
    Curve("Entropy", "nats per token", {"entropy": ("entropy",)}),
    Curve(
        "Clipped",
        "share of tokens",
        {
            "ratio, low": ("clip_fraction", "low"),
            "ratio, high": ("clip_fraction", "high"),
            "importance weight": ("engine", "bounded_share"),
            "value": ("value_clip_fraction",),
        },
    ),
    Curve(
        "Length of completions",
        "tokens",
        {"mean": ("completion_tokens", "mean"), "longest": ("completion_tokens", "max")},
    ),
    Curve(
        "Truncated completions",
        "share of completions",
        {"truncated": ("completion_tokens", "truncated_share")},
    ),
    Curve(
        "Advantages",
        "advantage",
        {"standard deviation": ("advantage", "std"), "largest": ("advantage", "max_abs")},
    ),
    Curve("Critic", "share explained", {"explained variance": ("explained_variance",)}),
    Curve(
        "Staleness by step", "steps", {"mean": ("staleness", "mean"), "most": ("staleness", "max")}
    ),
    Curve("Coefficient of the KL", "coefficient", {"coefficient": ("kl_coefficient",)}),
    Curve("Learning rate", "learning rate", {"learning rate": ("learning_rate",)}),
    Curve("Gradient norm", "norm before clipping", {"norm": ("grad_norm",)}),
)


def curve_charts(files: RunFiles) -> list[Chart]:
    """Those for which the run has values."""
    charts = [_chart(curve, files.metrics) for curve in CURVES]
    return [chart for chart in charts if chart is not None]


def _chart(curve: Curve, lines: list[dict[str, Any]]) -> Chart | None:
    series = {}
    for name, path in curve.paths.items():
        points = [
            (step, _value(line, path))
            for line in lines
            if (step := finite_number(line.get("step"))) is not None
        ]
        if any(value is not None for _, value in points):
            series[name] = points
    return line_chart(curve.title, series, x_label="learner step", y_label=curve.y_label)


def _value(line: dict[str, Any], path: tuple[str, ...]) -> float | None:
    found: Any = line
    for name in path:
        found = mapping(found).get(name)
    return finite_number(found)
