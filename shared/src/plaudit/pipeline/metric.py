"""What a finished stage achieved, as its summary.json says."""

import json
from pathlib import Path

from pydantic import ValidationError

from plaudit.schemas.pipeline import StageMetric

_ONLINE = "accuracy"


def stage_metric(run_dir: Path) -> StageMetric | None:
    """An offline run names its metric, an online one has accuracy; None without a summary."""
    try:
        found = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))
        prefix = "" if "metric" in found else f"{_ONLINE}_"
        figures = {key: found[prefix + key] for key in ("before", "after", "gain", "gain_ci95")}
        return StageMetric(name=found.get("metric", _ONLINE), **figures)
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None
