"""What of a line of metrics becomes a curve."""

from plaudit_trainer.tracking.flatten import flatten


def test_names_are_paths():
    assert flatten({"reward": 1, "time_s": {"forward": 0.5}}) == {
        "reward": 1.0,
        "time_s/forward": 0.5,
    }


def test_what_is_missing_or_no_finite_number_is_left_out():
    line = {"reward": None, "kl": float("nan"), "loss": float("inf"), "name": "x", "rows": [1]}
    assert flatten(line) == {}


def test_step_time_and_histograms_are_no_curves():
    line = {"step": 3, "time": 1.5, "staleness": {"mean": 1.0, "histogram": {"0": 4}}}
    assert flatten(line) == {"staleness/mean": 1.0}
