"""Geometry of the charts: numbers in, SVG coordinates out. The template draws them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 34
_MAX_POINTS = 600
_MAX_LABELS = 12
_MAX_LABEL_CHARS = 14
_MAX_NOTES = 16
_MAX_BAR_WIDTH = 64.0
_HEADROOM = 1.08
"""Above the highest bar, for the number on it."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A polyline in SVG coordinates; `pieces` are interrupted where values are missing."""

    name: str
    color: int
    pieces: list[str]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    color: int
    title: str


@dataclass(frozen=True)
class Note:
    """Text inside of a chart."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Axes with lines or bars in them. `legend` holds (name, colour number)."""

    title: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    bars: list[Bar]
    legend: list[tuple[str, int]]
    notes: list[Note] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def line_chart(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float | None]]],
    *,
    x_label: str,
    y_label: str,
    steps: bool = False,
) -> Chart | None:
    """None when there is nothing to draw. `steps`: a value holds until the next one."""
    drawn = {name: _finite(points) for name, points in series.items()}
    points = [(x, y) for values in drawn.values() for x, y in values if y is not None]
    if not points:
        return None
    x_scale = _Scale(*_span(x for x, _ in points), _LEFT, WIDTH - _RIGHT)
    y_scale = _Scale(*_padded(_span(y for _, y in points)), HEIGHT - _BOTTOM, _TOP)
    lines = [
        Line(name, color, _pieces(_thinned(values), x_scale, y_scale, steps))
        for color, (name, values) in enumerate(drawn.items())
    ]
    legend = [(line.name, line.color) for line in lines]
    return Chart(title, x_label, y_label, _ticks(x_scale), _ticks(y_scale), lines, [], legend)


def bar_chart(
    title: str,
    columns: Sequence[tuple[str, Mapping[str, float]]],
    *,
    x_label: str,
    y_label: str,
    per_label: int = 1,
) -> Chart | None:
    """One stacked bar for each column; few columns have their sums written above them.

    `per_label` columns stand close together under one label, that of the first.
    """
    names = list(dict.fromkeys(name for _, parts in columns for name in parts))
    highest = max((sum(parts.values()) for _, parts in columns), default=0.0)
    if not highest > 0 or not math.isfinite(highest):
        return None
    y_scale = _Scale(0.0, highest * _HEADROOM, HEIGHT - _BOTTOM, _TOP)
    slot = (WIDTH - _LEFT - _RIGHT) / len(columns)
    width = min(0.8 * slot, _MAX_BAR_WIDTH)
    bars: list[Bar] = []
    notes: list[Note] = []
    for index, (label, parts) in enumerate(columns):
        group, place = divmod(index, per_label)
        middle = _LEFT + slot * per_label * (group + 0.5) + width * (place - (per_label - 1) / 2)
        ordered = {name: parts[name] for name in names if name in parts}
        bars += _stack(label, ordered, names, y_scale, middle - width / 2, width)
        if parts and len(columns) <= _MAX_NOTES:
            total = sum(parts.values())
            notes.append(Note(round(middle, 2), y_scale(total) - 4, number(total)))
    legend = list(zip(names, range(len(names)), strict=True)) if len(names) > 1 else []
    x_ticks = _column_ticks([label for label, _ in columns], slot, per_label)
    y_ticks = _ticks(y_scale)
    return Chart(title, x_label, y_label, x_ticks, y_ticks, [], bars, legend, notes)


def _stack(
    label: str,
    parts: Mapping[str, float],
    names: list[str],
    y_scale: _Scale,
    x: float,
    width: float,
) -> list[Bar]:
    bars = []
    base = 0.0
    for name, value in parts.items():
        top, bottom = y_scale(base + value), y_scale(base)
        place = round(x, 2), top, round(width, 2), round(bottom - top, 2)
        bars.append(Bar(*place, names.index(name), f"{label}: {name} {number(value)}"))
        base += value
    return bars


def _column_ticks(labels: list[str], slot: float, per_label: int) -> list[Tick]:
    """At most `_MAX_LABELS` of the labels, in the middle of their columns."""
    shown = range(0, len(labels), per_label)
    every = math.ceil(len(shown) / _MAX_LABELS)
    return [
        Tick(round(_LEFT + slot * (index + per_label / 2), 2), shorten(labels[index]))
        for index in shown[::every]
    ]


def shorten(label: str) -> str:
    """Names under an axis must not run into each other."""
    return label if len(label) <= _MAX_LABEL_CHARS else f"{label[: _MAX_LABEL_CHARS - 1]}…"


def number(value: float) -> str:
    """Three significant digits, without an exponent where a person would not write one."""
    if value != 0 and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:.2e}"
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text.replace("-0", "0") if float(text) == 0 else text


def _finite(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    return [
        (x, y if y is not None and math.isfinite(y) else None)
        for x, y in points
        if math.isfinite(x)
    ]


def _thinned(points: list[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """At most `_MAX_POINTS` of them, the last one always."""
    every = math.ceil(len(points) / _MAX_POINTS)
    return [point for i, point in enumerate(points) if (len(points) - 1 - i) % max(every, 1) == 0]


def _pieces(
    points: list[tuple[float, float | None]], x_scale: _Scale, y_scale: _Scale, steps: bool
) -> list[str]:
    pieces: list[list[str]] = [[]]
    last: float | None = None
    for x, y in points:
        if y is None:
            pieces.append([])
        else:
            if steps and last is not None and pieces[-1]:
                pieces[-1].append(f"{x_scale(x)},{y_scale(last)}")
            pieces[-1].append(f"{x_scale(x)},{y_scale(y)}")
        last = y
    return [" ".join(piece) for piece in pieces if piece]


def _span(values: Iterable[float]) -> tuple[float, float]:
    collected = list(values)
    low, high = min(collected), max(collected)
    around = abs(low) / 2 or 0.5
    return (low, high) if high > low else (low - around, high + around)


def _padded(span: tuple[float, float]) -> tuple[float, float]:
    low, high = span
    margin = 0.05 * (high - low)
    return (low if low == 0 else low - margin), high + margin


def _ticks(scale: _Scale) -> list[Tick]:
    """About five round numbers inside the scale."""
    raw = (scale.high - scale.low) / 5
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= raw)
    first = math.ceil(scale.low / step)
    values = [step * i for i in range(first, math.floor(scale.high / step + 1e-9) + 1)]
    return [Tick(scale(value), number(value)) for value in values]
