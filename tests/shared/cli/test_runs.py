"""`plaudit runs`, on run directories as `plaudit train` leaves them."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from plaudit.cli.main import app
from plaudit.errors import ConfigError
from plaudit.local.run_dir import create_run, point_latest_at
from plaudit.schemas.recipe import Recipe, RewardRecipe
from plaudit.schemas.run import Ledger, Summary

RECIPE = Recipe(name="tiny", rewards=[RewardRecipe(name="accuracy")])
SUMMARY = Summary(
    run_id="one",
    accuracy_before=0.4,
    accuracy_after=0.7,
    accuracy_gain=0.3,
    accuracy_gain_ci95=(0.2, 0.4),
    greedy_before=None,
    greedy_after=None,
    num_eval_prompts=200,
    steps=80,
    wall_s=200.0,
    groups_per_s=3.0,
    ledger=Ledger(admitted=3, trained=3, dropped={}, in_flight=0),
    staleness={"mean": 0.5},
    time_s={},
    weight_updates=81,
)


def plaudit(runs_dir: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["runs", *arguments, "--runs-dir", str(runs_dir)])


def test_finished_and_unfinished_runs_are_listed(tmp_path: Path) -> None:
    finished = create_run(tmp_path / "one", RECIPE, [])
    (finished.path / "summary.json").write_text(SUMMARY.model_dump_json())
    started = create_run(tmp_path / "two", RECIPE, [])
    (started.path / "metrics.jsonl").write_text("{}\n{}\n")
    runs = {run["run_id"]: run for run in json.loads(plaudit(tmp_path, "--json").stdout)}
    assert (runs["one"]["state"], runs["one"]["steps"]) == ("finished", 80)
    assert (runs["two"]["state"], runs["two"]["steps"]) == ("unfinished", 2)
    assert "0.4 -> 0.7" in plaudit(tmp_path).stdout


def test_a_run_is_shown_with_its_report(tmp_path: Path) -> None:
    run = create_run(tmp_path / "one", RECIPE, [])
    (run.path / "summary.json").write_text(SUMMARY.model_dump_json())
    point_latest_at(run)
    shown = json.loads(plaudit(tmp_path, "show", "latest", "--json").stdout)
    assert shown["summary"]["accuracy_gain"] == 0.3
    assert Path(shown["report"]).read_text().startswith("<!doctype html>")


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    create_run(tmp_path / "one", RECIPE, [])
    assert f"plaudit train --resume {tmp_path}/one" in plaudit(tmp_path, "show", "one").stdout


def test_an_unknown_run_lists_those_there_are(tmp_path: Path) -> None:
    create_run(tmp_path / "one", RECIPE, [])
    error = plaudit(tmp_path, "show", "two").exception
    assert isinstance(error, ConfigError)
    assert error.fix == "choose one of: one"


def test_no_run_is_an_empty_list(tmp_path: Path) -> None:
    assert json.loads(plaudit(tmp_path / "none", "--json").stdout) == []
