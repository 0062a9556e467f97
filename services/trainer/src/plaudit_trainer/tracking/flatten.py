"""A line of metrics as the flat numbers that trackers draw."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

NOT_FIGURES = frozenset({"step", "time", "histogram"})
"""When, and counts by value, are no curves."""


def flatten(line: Mapping[str, Any]) -> dict[str, float]:
    """`{"rewards": {"accuracy": {"mean": 1}}}` -> `{"rewards/accuracy/mean": 1.0}`.

    What is missing, no number or not finite is left out.
    """
    return dict(_numbers("", line))


def _numbers(path: str, line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in line.items():
        if name in NOT_FIGURES:
            continue
        if isinstance(value, Mapping):
            yield from _numbers(f"{path}{name}/", value)
        elif isinstance(value, int | float) and math.isfinite(value):
            yield f"{path}{name}", float(value)
