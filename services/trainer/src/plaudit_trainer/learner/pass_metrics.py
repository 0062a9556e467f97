"""TRL notes figures in each pass; a step has one of each."""

from collections.abc import Mapping, Sequence

Figures = Mapping[str, list[float]]


def drain(figures: dict[str, list[float]]) -> dict[str, float | None]:
    """The means since the last call, of what is a number; `figures` is left empty."""
    means = {name: _mean(values) for name, values in figures.items()}
    figures.clear()
    return means


def merge_passes(passes: Sequence[Figures], num_tokens: Sequence[float]) -> dict[str, float]:
    """Means are weighted by the tokens of their passes; extremes stay extremes."""
    merged = {}
    for name in dict.fromkeys(name for figures in passes for name in figures):
        pairs = [
            (value, weight)
            for figures, weight in zip(passes, num_tokens, strict=True)
            for value in figures.get(name, ())
            if value == value
        ]
        if pairs:
            merged[name] = _merge(name, pairs)
    return merged


def _merge(name: str, pairs: Sequence[tuple[float, float]]) -> float:
    if name.endswith("_min"):
        return min(value for value, _ in pairs)
    if name.endswith("_max"):
        return max(value for value, _ in pairs)
    total = sum(weight for _, weight in pairs)
    if total == 0:
        return pairs[0][0]
    return sum(value * weight for value, weight in pairs) / total


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else None
