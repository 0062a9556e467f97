"""What a stage achieved, of whichever kind its run is."""

import json
from pathlib import Path
from typing import Any

import pytest

from plaudit.pipeline.metric import stage_metric

OFFLINE = {"metric": "pair_accuracy", "before": 0.5, "after": 0.9, "gain": 0.4, "gain_ci95": None}
ONLINE = {
    "accuracy_before": 0.4, "accuracy_after": None, "accuracy_gain": None,
    "accuracy_gain_ci95": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "found"),
    [(OFFLINE, ("pair_accuracy", 0.5, 0.9)), (ONLINE, ("accuracy", 0.4, None)), ({}, None)],
)
def test_the_metric_is_the_runs_own(tmp_path: Path, summary: dict[str, Any], found: Any) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    metric = stage_metric(tmp_path)
    assert (metric and (metric.name, metric.before, metric.after)) == found


def test_a_run_without_a_summary_has_none(tmp_path: Path) -> None:
    assert stage_metric(tmp_path) is None
