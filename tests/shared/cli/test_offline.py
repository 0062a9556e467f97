"""`plaudit train` of an offline recipe: one process, nothing else, as a user meets it."""

import json
import signal
import tomllib

import pytest

RECIPE = """
name = "pairs"
[method]
name = "dpo"
"""


@pytest.fixture
def offline(plaudit):
    (plaudit.directory / "recipe.toml").write_text(RECIPE)
    return plaudit


def test_a_run_ends_with_a_summary_and_a_report_and_starts_no_service(offline):
    done = offline.run("train", "recipe.toml", STAND_IN_FAST="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pair_accuracy after" in done.stdout and "0.2 to 0.3" in done.stdout
    run_dir = (offline.directory / "runs/latest").resolve()
    assert {path.name for path in (run_dir / "logs").iterdir()} == {"offline.log"}
    page = (run_dir / "report.html").read_text()
    assert "pair accuracy before" in page and "Loss" in page and "<svg" in page
    recipe = tomllib.loads((run_dir / "recipe.toml").read_text())
    assert recipe["data"]["train"].endswith("cache/train-preferences.jsonl")
    assert json.loads((run_dir / "summary.json").read_text())["wall_s"] > 0
    listed = offline.run("runs")
    assert "pair_accuracy" in listed.stdout and "0.5 -> 0.75" in listed.stdout


def test_ctrl_c_says_how_to_resume_and_resume_finishes(offline):
    process = offline.start("train", "recipe.toml", "--run-dir", "runs/one")
    lines = iter(process.stdout.readline, "")
    assert any("training 1/3  loss 0.7  held-out pair_accuracy 0.5" in line for line in lines)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "plaudit train --resume runs/one" in rest
    assert (offline.directory / "runs/one/report.html").exists()
    done = offline.run("train", "--resume", "one", "--json", STAND_IN_FAST="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["gain"] == 0.25


def test_a_dry_run_prints_the_recipe_and_writes_nothing(offline):
    done = offline.run("train", "recipe.toml", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["recipe"]["method"]["loss_type"] == "sigmoid"
    assert found["checks"] == [{"name": "files", "ok": True, "detail": "num_train_rows 3"}]
    assert not (offline.directory / "runs").exists()


def test_a_setting_of_another_method_is_refused(offline):
    done = offline.run("train", "recipe.toml", "--set", "method.packing=true")
    assert done.returncode == 2
    assert "method.packing" in done.stderr


def test_a_wrong_setting_ends_the_run_and_leaves_none_behind(offline):
    done = offline.run("train", "recipe.toml", STAND_IN_WRONG_SETTING="trainer offline")
    assert done.returncode == 2
    assert "trainer.color = 'red'" in done.stderr and "leave it out" in done.stderr
    assert not list((offline.directory / "runs").iterdir())
