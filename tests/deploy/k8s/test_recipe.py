"""The recipe that the conductor's pod prepares is one, and names what the pods see."""

from itertools import pairwise
from pathlib import Path

import pytest

from plaudit.config.recipe import load_recipe
from plaudit.local.recipes import find_recipe
from plaudit.schemas.recipe import Recipe

from .chart import SHAPES, Object, containers, named, needs_helm, objects, of_kind

pytestmark = [needs_helm, pytest.mark.parametrize("shape", SHAPES)]


@pytest.fixture
def prepare(shape: str) -> Object:
    pod = named(objects(shape), "Deployment", "conductor")["spec"]["template"]
    (container,) = [c for c in containers(pod) if c["name"] == "prepare"]
    return container


@pytest.fixture
def recipe(shape: str, prepare: Object, tmp_path: Path) -> Recipe:
    _, _, name, *options = prepare["command"]
    files = named(objects(shape), "ConfigMap", "recipe")["data"]
    if name.startswith("/"):
        (tmp_path / "recipe.toml").write_text(files["recipe.toml"])
        name = str(tmp_path / "recipe.toml")
    overrides = [b for a, b in pairwise(options) if a == "--set"]
    return load_recipe(find_recipe(name), overrides)


def test_the_recipe_is_accepted(shape: str, recipe: Recipe) -> None:
    engine = named(objects(shape), "ConfigMap", "rollout-engine")["data"]
    assert engine["PLAUDIT_ROLLOUT_DTYPE"] == recipe.model.dtype
    assert engine["PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS"] == str(recipe.model.max_model_tokens)
    if recipe.model.path != "seed":
        assert engine["PLAUDIT_ROLLOUT_MODEL"] == recipe.model.path


def test_its_files_are_on_volumes_that_the_pod_has(prepare: Object, recipe: Recipe) -> None:
    places = [mount["mountPath"] for mount in prepare["volumeMounts"]]
    named_files = [recipe.data.train, recipe.data.eval, recipe.learner.deepspeed, recipe.model.path]
    for path in named_files:
        if path and path.startswith("/"):
            assert any(path.startswith(f"{place}/") for place in places), path


def test_all_look_for_the_run_where_it_is_made(shape: str, prepare: Object) -> None:
    run_dir = prepare["command"][prepare["command"].index("--run-dir") + 1]
    found = objects(shape)
    conductor = named(found, "Deployment", "conductor")["spec"]["template"]["spec"]["containers"][0]
    assert run_dir in conductor["command"]
    (learner,) = of_kind(found, "Job", "JobSet")
    assert f"--run-dir {run_dir}" in str(learner)
    policy_root = named(found, "ConfigMap", "rollout-engine")["data"]["PLAUDIT_ROLLOUT_POLICY_ROOT"]
    assert run_dir.startswith(f"{policy_root}/")
