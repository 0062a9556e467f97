"""pipeline.html: all stages of a pipeline on one page, as self-contained as the report of a run."""

import os
from pathlib import Path
from typing import Any

from plaudit.report import samples
from plaudit.report.charts import Chart, bar_chart
from plaudit.report.render import REPORT_NAME, page_environment
from plaudit.schemas.pipeline import PipelineSummary, StageResult

PIPELINE_REPORT_NAME = "pipeline.html"


def write_pipeline_report(directory: Path, summary: PipelineSummary) -> Path:
    """Replaces the last one whole."""
    target = directory / PIPELINE_REPORT_NAME
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(render_pipeline_report(directory, summary), encoding="utf-8")
    temporary.replace(target)
    return target


def render_pipeline_report(directory: Path, summary: PipelineSummary) -> str:
    return (
        page_environment()
        .get_template("pipeline.html.j2")
        .render(
            name=samples.visible(summary.pipeline_id),
            created_at=samples.visible(summary.created_at),
            stages=[_stage(directory, stage) for stage in summary.stages],
            charts=[chart for chart in [accuracy_chart(summary)] if chart is not None],
        )
    )


def accuracy_chart(summary: PipelineSummary) -> Chart | None:
    """Held-out accuracy after each stage that has one."""
    columns = [
        (stage.name, {"accuracy": accuracy})
        for stage in summary.stages
        if (accuracy := _accuracy(stage)) is not None
    ]
    title = "Held-out accuracy after each stage"
    return bar_chart(title, columns, x_label="stage", y_label="accuracy")


def _accuracy(stage: StageResult) -> float | None:
    metric = stage.metric
    if metric is None or metric.name != "accuracy":
        return None
    return metric.before if metric.after is None else metric.after


def _stage(directory: Path, stage: StageResult) -> dict[str, Any]:
    report = Path(stage.name) / REPORT_NAME
    return {
        "name": stage.name,
        "kind": stage.kind,
        "state": stage.state,
        "wall_s": stage.wall_s,
        "metric": stage.metric,
        "error": stage.error,
        "report": str(report) if (directory / report).is_file() else None,
    }
