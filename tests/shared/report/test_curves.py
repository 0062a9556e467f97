"""Every figure of a step that a run has becomes a curve, and none that it has not."""

from pathlib import Path
from typing import Any

from plaudit.report.curves import CURVES, curve_charts
from plaudit.report.files import RunFiles


def charts_of(*lines: dict[str, Any]) -> dict[str, list[str]]:
    """Names in the legend by title."""
    files = RunFiles(Path("run"), metrics=list(lines))
    return {chart.title: [name for name, _ in chart.legend] for chart in curve_charts(files)}


def test_a_figure_becomes_a_curve():
    lines = [{"step": step, "kl": 0.1 * step, "engine": {"kl": 0.2}} for step in (1, 2)]
    assert charts_of(*lines) == {"KL divergence": ["policy to reference", "engine to learner"]}


def test_what_the_method_has_not_is_left_out():
    lines = [{"step": 1, "loss": 0.5, "value_loss": None, "kl": None, "engine": None}]
    assert charts_of(*lines) == {"Loss": ["policy"]}


def test_a_run_without_lines_has_no_curves():
    assert charts_of() == {}


def test_lines_that_are_spoilt_are_passed_over():
    lines: list[dict[str, Any]] = [
        {"step": "x", "loss": 1.0},
        {"loss": 1.0},
        {"step": 1, "clip_fraction": 3},
    ]
    assert charts_of(*lines) == {}


def test_titles_are_told_apart():
    assert len({curve.title for curve in CURVES}) == len(CURVES)


def test_a_small_constant_has_an_axis_of_its_own_size():
    lines = [{"step": step, "learning_rate": 1e-3} for step in (1, 2)]
    [chart] = curve_charts(RunFiles(Path("run"), metrics=lines))
    assert "0.001" in {tick.label for tick in chart.y_ticks}
