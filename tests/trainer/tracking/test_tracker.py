"""Metrics arrive in the real TensorBoard files, the real offline W&B run and the real trackio."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.tracking import Tracker, open_tracker

LINE = {"step": 1, "reward": 0.5, "rewards": {"accuracy": {"mean": 0.25}}}


def recipe_with(**tracking: object) -> Recipe:
    return Recipe.model_validate(
        {"name": "t", "rewards": [{"name": "accuracy"}], "tracking": tracking}
    )


def test_without_trackers_nothing_is_written(tmp_path: Path):
    tracker = open_tracker(recipe_with(), tmp_path, "run")
    tracker.log(1, LINE)
    tracker.close()
    assert list(tmp_path.iterdir()) == []


def scalars(directory: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(directory))
    read.Reload()
    return {
        name: [(event.step, event.value) for event in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }


def test_tensorboard_gets_every_figure_at_its_step(tmp_path: Path):
    tracker = open_tracker(recipe_with(tensorboard=True), tmp_path, "run")
    tracker.log(1, LINE)
    tracker.log(2, {"reward": 0.75})
    tracker.close()
    found = scalars(tmp_path / "tensorboard")
    assert found["reward"] == [(1, 0.5), (2, 0.75)]
    assert found["rewards/accuracy/mean"] == [(1, 0.25)]


def test_a_resumed_run_does_not_show_a_step_twice(tmp_path: Path):
    recipe = recipe_with(tensorboard=True)
    first = open_tracker(recipe, tmp_path, "run")
    for step in (1, 2, 3):
        first.log(step, {"reward": 0.0})
    first.close()
    resumed = open_tracker(recipe, tmp_path, "run", last_step=1)
    resumed.log(2, {"reward": 1.0})
    resumed.close()
    assert scalars(tmp_path / "tensorboard")["reward"] == [(1, 0.0), (2, 1.0)]


def test_wandb_offline_keeps_the_run_in_its_directory(tmp_path: Path):
    """In a process of its own: wandb leaves threads behind."""
    script = (
        "import sys; from pathlib import Path; from plaudit.schemas.recipe import Recipe\n"
        "from plaudit_trainer.tracking import open_tracker\n"
        "recipe = Recipe.model_validate({'name': 't', 'rewards': [{'name': 'accuracy'}],\n"
        "  'tracking': {'wandb': {'project': 'p', 'mode': 'offline'}}})\n"
        "tracker = open_tracker(recipe, Path(sys.argv[1]), 'run-1')\n"
        "tracker.log(1, {'reward': 0.125}); tracker.close()\n"
        "assert 'wandb' in tracker.sinks\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    [written] = tmp_path.glob("wandb/offline-run-*-run-1/*.wandb")
    assert b"reward" in written.read_bytes()
    assert b"0.125" in written.read_bytes()


def test_trackio_keeps_the_run_in_its_directory(tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from plaudit.schemas.recipe import Recipe\n"
        "from plaudit_trainer.tracking import open_tracker\n"
        "recipe = Recipe.model_validate({'name': 't', 'rewards': [{'name': 'accuracy'}],\n"
        "  'tracking': {'trackio': {'project': 'p'}}})\n"
        "tracker = open_tracker(recipe, Path(sys.argv[1]), 'run-1')\n"
        "tracker.log(1, {'reward': 0.125}); tracker.close()\n"
        "assert 'trackio' in tracker.sinks\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    [database] = tmp_path.glob("trackio/*.db")
    with sqlite3.connect(database) as connection:
        [(step, metrics)] = connection.execute("select step, metrics from metrics").fetchall()
    assert (step, "0.125" in str(metrics)) == (1, True)


def test_a_missing_package_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"tracking\.wandb.*not installed") as caught:
        open_tracker(recipe_with(wandb={"project": "p"}), tmp_path, "run")
    assert "plaudit-trainer[tracking]" in str(caught.value)


def test_a_sink_that_fails_is_left_out_and_the_run_goes_on():
    class Broken:
        def log(self, step, figures):
            raise OSError("the server is away")

        def close(self):
            raise AssertionError("it is gone")

    seen: list[object] = []

    class Works:
        def log(self, step, figures):
            seen.append((step, figures))

        def close(self):
            seen.append("closed")

    tracker = Tracker({"broken": Broken(), "works": Works()})
    tracker.log(1, {"reward": 1.0})
    tracker.log(2, {"reward": 2.0})
    tracker.close()
    assert seen == [(1, {"reward": 1.0}), (2, {"reward": 2.0}), "closed"]
