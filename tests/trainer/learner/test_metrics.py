"""metrics.jsonl survives a crash at any byte."""

import json
import math

import pytest

from plaudit_trainer.learner.credit import Credit
from plaudit_trainer.learner.metrics import append_metrics, batch_figures, cut_metrics
from plaudit_trainer.learner.source import Batch, Taken


def steps(run_dir) -> list[int]:
    return [
        json.loads(line)["step"] for line in (run_dir / "metrics.jsonl").read_text().splitlines()
    ]


def test_steps_that_will_be_trained_again_are_cut_off(tmp_path):
    for step in (1, 2, 3, 4):
        append_metrics(tmp_path, {"step": step})
    cut_metrics(tmp_path, 2)
    append_metrics(tmp_path, {"step": 3})
    assert steps(tmp_path) == [1, 2, 3]


def test_a_line_that_a_crash_cut_short_does_no_harm(tmp_path):
    append_metrics(tmp_path, {"step": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    cut_metrics(tmp_path, 5)
    append_metrics(tmp_path, {"step": 2})
    assert steps(tmp_path) == [1, 2]


def test_a_figure_that_is_no_number_is_null(tmp_path):
    append_metrics(tmp_path, {"step": 1, "a": {"b": math.nan}})
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["a"] == {"b": None}


def test_nothing_to_cut_before_the_first_step(tmp_path):
    cut_metrics(tmp_path, 0)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_figures_of_a_batch(make_group):
    totals = [1.0, 0.0, None, 1.0]
    taken = Taken(make_group(0), Credit(totals, totals), staleness=2)
    flat = Taken(make_group(1), Credit([1.0] * 4, [1.0] * 4), staleness=0)
    figures = batch_figures(Batch([taken, flat], dropped={"stale": 1}))
    assert figures["num_groups"] == 2
    assert figures["num_masked"] == 1
    assert figures["zero_variance_groups"] == 1
    assert figures["reward"] == pytest.approx(6 / 7)
    assert figures["staleness"] == {"mean": 1.0, "max": 2, "histogram": {"0": 1, "2": 1}}
    assert set(figures["rewards"]) == {"accuracy", "format"}
