"""The end of an evaluation job on one screen."""

from typing import Any

from plaudit.cli.output import figure
from plaudit.judging.results import Results
from plaudit.judging.run import Progress
from plaudit.judging.summary import figures_of


def summarize(results: Results, progress: Progress, wall_s: float) -> dict[str, Any]:
    """Of the whole file, answers of earlier runs included."""
    return {
        "items": progress.num_items,
        "answered_now": progress.num_answered,
        "answered_earlier": progress.num_earlier,
        "failed": len(progress.failures),
        **figures_of(response for _, response in results.read()),
        "wall_s": wall_s,
    }


def shown(value: Any) -> str:
    return figure(value) if isinstance(value, float) or value is None else str(value)
