"""`plaudit-trainer prepare`: a run's directory for processes that something else starts."""

import asyncio
import json
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit_trainer.prepare import prepare
from plaudit_trainer.run_dir import RunDir


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "train.jsonl").write_text("{}\n")
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\nmodel = { path = "model" }\ndata = { train = "train.jsonl", eval = "" }\n'
        'rewards = [{ name = "accuracy" }]\n'
    )
    return path


def test_the_conductor_finds_what_it_needs(recipe: Path, tmp_path: Path) -> None:
    asyncio.run(prepare(str(recipe), ["budget.steps=7"], tmp_path / "runs" / "one"))
    run = RunDir(tmp_path / "runs" / "one")
    assert run.run_id == "one"
    assert run.recipe().budget.steps == 7
    assert run.recipe().model.path == str(tmp_path / "model")


def test_a_run_with_the_same_recipe_is_left_as_it_is(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    asyncio.run(prepare(str(recipe), [], folder))
    before = json.loads((folder / "run.json").read_text())
    asyncio.run(prepare(str(recipe), [], folder))
    assert json.loads((folder / "run.json").read_text()) == before


def test_a_run_with_another_recipe_is_refused_by_what_differs(recipe: Path, tmp_path: Path) -> None:
    asyncio.run(prepare(str(recipe), [], tmp_path / "one"))
    with pytest.raises(ConfigError, match="another recipe, in budget, method"):
        changes = ["method.beta=0.1", "budget.steps=7"]
        asyncio.run(prepare(str(recipe), changes, tmp_path / "one"))
