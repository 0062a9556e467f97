"""The end of an evaluation job on one screen."""

from typing import Any

from pydantic import BaseModel

from plaudit.file_job.progress import Progress
from plaudit.judging.results import Results
from plaudit.judging.summary import figures_of
from plaudit.schemas.judge_calibrate import CalibrateResponse
from plaudit.schemas.judge_statistics import Estimate, StatisticsResponse


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


def estimates_of(found: StatisticsResponse | CalibrateResponse) -> dict[str, Any]:
    """Those that are defined, by name, each with its interval."""
    parts: list[BaseModel] = [found]
    if isinstance(found, CalibrateResponse):
        parts = [part for part in (found.winners, found.scores) if part is not None]
    fields = [pair for part in parts for pair in part]
    return {name: value.model_dump() for name, value in fields if isinstance(value, Estimate)}
