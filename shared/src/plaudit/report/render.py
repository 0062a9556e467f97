"""report.html: one self-contained file, no script, no network, everything from models escaped."""

import os
from importlib import resources
from pathlib import Path

import jinja2

from plaudit.report import data, samples
from plaudit.report.charts import Chart, number
from plaudit.report.curves import curve_charts
from plaudit.report.facts import facts
from plaudit.report.files import RunFiles, read_run
from plaudit.report.offline import is_offline, offline_charts
from plaudit.schemas.run import Summary

REPORT_NAME = "report.html"


def write_report(run_dir: Path) -> Path:
    """Renders the report of whatever the run has written so far; replaces the last one whole."""
    target = run_dir / REPORT_NAME
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(render_report(read_run(run_dir)), encoding="utf-8")
    temporary.replace(target)
    return target


def page_environment() -> jinja2.Environment:
    """Escapes everything; what is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number_or_dash
    environment.filters["visible"] = samples.visible
    return environment


def render_report(files: RunFiles) -> str:
    charts = offline_charts(files) if is_offline(files) else _online_charts(files)
    page = page_environment().get_template("report.html.j2")
    return page.render(
        run_id=samples.visible(files.run.get("run_id", files.path.name)),
        created_at=samples.visible(files.run.get("created_at", "")),
        facts=None if files.summary is None else facts(files.summary),
        restarts={} if files.summary is None else files.summary.restarts,
        summary=files.summary if isinstance(files.summary, Summary) else None,
        charts=[chart for chart in charts if chart is not None],
        stages=data.stage_rows(files),
        samples=samples.sample_rows(files),
        recipe=files.recipe,
        problems=files.problems,
    )


def _online_charts(files: RunFiles) -> list[Chart | None]:
    return [
        data.reward_chart(files),
        data.accuracy_chart(files),
        data.staleness_chart(files),
        data.time_chart(files),
        data.policy_chart(files),
        data.learner_chart(files),
        *curve_charts(files),
    ]


def _template(name: str) -> str:
    return (resources.files("plaudit.report") / "templates" / name).read_text(encoding="utf-8")


def _number_or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)
