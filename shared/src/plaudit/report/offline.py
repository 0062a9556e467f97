"""Charts of an offline run: what was held out, and the curves of all methods."""

from plaudit.report.charts import Chart, line_chart
from plaudit.report.curves import curve_charts
from plaudit.report.files import RunFiles, finite_number, mapping

Point = tuple[float, float | None]


def is_offline(files: RunFiles) -> bool:
    """Online runs have rewards, offline ones do not."""
    return bool(files.metrics) and "reward" not in files.metrics[0]


def offline_charts(files: RunFiles) -> list[Chart | None]:
    return [_held_out(files), *curve_charts(files)]


def _held_out(files: RunFiles) -> Chart | None:
    """The metric before, during and after."""
    metric = str(files.eval_before.get("metric", ""))
    before = finite_number(mapping(files.eval_before.get("figures")).get(metric))
    after = finite_number(mapping(files.eval_after.get("figures")).get(metric))
    points: list[Point] = [] if before is None else [(0.0, before)]
    for record in files.metrics:
        step = finite_number(record.get("step"))
        if step is not None and (found := mapping(record.get("eval"))):
            points.append((step, finite_number(found.get(metric))))
    last = finite_number(files.metrics[-1].get("step"))
    if after is not None and last is not None and points and points[-1][0] < last:
        points.append((last, after))
    return line_chart("Held-out rows", {metric: points}, x_label="step", y_label=metric)
