"""Reward models that a recipe brings along for the reward service of its own run."""

import json
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.preflight import check_models_elsewhere, check_reward_models
from plaudit.local.recipes import needs_seed, read_recipe
from plaudit.local.reward_models import models_env, paths_of, with_paths
from plaudit.schemas.recipe import Recipe

SETTING = "PLAUDIT_REWARD_MODELS"
RECIPE = """
name = "mine"
[[rewards]]
name = "reward_model"
params = { model = "ours" }
[reward_models.ours]
kind = "value_head"
path = "models/rm"
"""
CRITIC: dict[str, object] = {"kind": "discriminator", "path": "seed"}


def recipe(**tables: dict[str, object]) -> Recipe:
    document = {"name": "r", "rewards": [{"name": "accuracy"}], "reward_models": tables}
    return Recipe.model_validate(document)


def passed_on(recipe: Recipe, run_dir: Path | None = None, **environment: object) -> object:
    found = models_env(recipe, Environment({}, document=environment), run_dir)
    return json.loads(found[SETTING])


def test_without_any_nothing_is_passed_on() -> None:
    assert models_env(recipe(), Environment({}, document={}), Path("/run")) == {}


def test_the_recipes_win_over_those_of_plaudit_toml() -> None:
    theirs = {"models": {"a": {"path": "/theirs"}, "b": {"path": "/b"}}}
    assert passed_on(recipe(a={"path": "/ours"}), reward=theirs) == {
        "a": {"path": "/ours"}, "b": {"path": "/b"},
    }  # fmt: skip


def test_and_over_those_of_the_environment_variable() -> None:
    environment = Environment({SETTING: '{"b": {"path": "/b"}}'}, document={})
    found = models_env(recipe(a={"path": "/a"}), environment, None)
    assert json.loads(found[SETTING]) == {"a": {"path": "/a"}, "b": {"path": "/b"}}


def test_a_discriminators_versions_are_in_the_runs_directory_unless_it_names_another() -> None:
    given = recipe(critic=CRITIC, other=CRITIC | {"directory": "/d"})
    found = passed_on(given, Path("/runs/one"))
    assert isinstance(found, dict)
    assert found["critic"]["directory"] == "/runs/one/discriminators/critic"
    assert found["other"]["directory"] == "/d"


def test_a_seed_is_a_path_that_is_built_first() -> None:
    given = recipe(a=CRITIC, b={"path": 3, "reference_path": "seed-slate"})
    assert paths_of(given.reward_models) == {"seed", "seed-slate"}
    changed = with_paths(given.reward_models, lambda path: f"/cache/{path}")
    assert changed["a"]["path"] == "/cache/seed"
    assert changed["b"] == {"path": 3, "reference_path": "/cache/seed-slate"}
    other = given.model_copy(
        update={
            "model": given.model.model_copy(update={"path": "/m"}),
            "data": given.data.model_copy(update={"train": "/t", "eval": "/e"}),
        }
    )
    assert needs_seed(other)
    assert not needs_seed(other.model_copy(update={"reward_models": {}}))


def test_a_relative_path_is_taken_from_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "models/rm").mkdir(parents=True)
    (tmp_path / "r.toml").write_text(RECIPE)
    read = read_recipe(str(tmp_path / "r.toml"), ["reward_models.hub.path=owner/name"])
    assert read.reward_models["ours"]["path"] == str(tmp_path / "models/rm")
    assert read.reward_models["hub"]["path"] == "owner/name"


def test_a_path_that_is_not_there_is_found_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RECIPE)
    with pytest.raises(ConfigError, match=r"'models/rm/final': no such directory.*train it first"):
        read_recipe(str(tmp_path / "r.toml"), ["reward_models.ours.path=models/rm/final"])


def test_a_reward_may_name_one_of_the_recipes_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "models/rm").mkdir(parents=True)
    (tmp_path / "r.toml").write_text(RECIPE)
    read = read_recipe(str(tmp_path / "r.toml"), [])
    check_reward_models(read, Environment({}, document={}))
    with pytest.raises(ConfigError, match=r"'ours' is not configured.*\[reward_models.ours\]"):
        check_reward_models(
            read.model_copy(update={"reward_models": {}}), Environment({}, document={})
        )


def test_a_reward_service_that_runs_elsewhere_does_not_get_them_and_that_is_said() -> None:
    said = check_models_elsewhere(recipe(ours=CRITIC), here=("rollout",))
    assert said is not None and said.ok is None
    assert "[reward_models] of the recipe (ours) is not used" in said.detail
    assert check_models_elsewhere(recipe(ours=CRITIC), here=("rollout", "reward")) is None
    assert check_models_elsewhere(recipe(), here=()) is None
