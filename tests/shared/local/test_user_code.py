"""Rewards in files: how a recipe names them, what is found wrong without running them."""

import asyncio
import json
from pathlib import Path

import pytest
from fastapi import FastAPI

from plaudit.config import ServiceSettings
from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.preflight import check_reward_names
from plaudit.local.recipes import read_recipe
from plaudit.local.training import topology
from plaudit.local.user_code import check_user_code
from plaudit.schemas.recipe import Recipe, RewardRecipe
from plaudit.testing import running
from plaudit.user_code import short_names

RECIPE = """
name = "mine"
[[rewards]]
name = "./rewards/mine.py:brevity"
params = { limit = 3 }
[[rewards]]
name = "format"
gate = { reward = "./rewards/mine.py:brevity", at_least = 1.0 }
[eval]
reward_by_kind = { math = "rewards/mine.py:brevity" }
"""
MINE = """
raise RuntimeError("nobody runs this file")
from somewhere import elsewhere as imported
try:
    def brevity(completions, *, prompt, limit=5): ...
except ImportError:
    def guarded(texts, **params): ...
if True:
    async def waited(texts): ...
assigned = typed = brevity
annotated: object = brevity
class Caller:
    def inner(self, texts): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a recipe that uses a file beside it."""
    project = tmp_path / "project"
    (project / "rewards").mkdir(parents=True)
    (project / "recipe.toml").write_text(RECIPE)
    (project / "rewards/mine.py").write_text(MINE)
    return project


def recipe_with(name: str, **params: object) -> Recipe:
    return Recipe(name="mine", rewards=[RewardRecipe(name=name, params=params)])


def test_names_become_absolute_wherever_they_stand(project: Path) -> None:
    recipe = read_recipe(str(project / "recipe.toml"), [])
    name = f"{project}/rewards/mine.py:brevity"
    assert recipe.rewards[0].name == name
    assert recipe.rewards[1].gate is not None
    assert recipe.rewards[1].gate.reward == name
    assert recipe.eval.reward_by_kind == {"math": name}


def test_the_current_directory_comes_before_that_of_the_recipe(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "rewards").mkdir(parents=True)
    (here / "rewards/mine.py").write_text("def brevity(texts, limit=1): ...")
    monkeypatch.chdir(here)
    recipe = read_recipe(str(project / "recipe.toml"), [])
    assert recipe.rewards[0].name == f"{here}/rewards/mine.py:brevity"


@pytest.mark.parametrize(
    "function",
    ["brevity", "guarded", "waited", "assigned", "typed", "annotated", "Caller", "imported"],
)
def test_what_a_file_defines_is_found_without_running_it(project: Path, function: str) -> None:
    check_user_code(recipe_with(f"{project}/rewards/mine.py:{function}"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.py:brevty", "has no 'brevty'. Fix: did you mean 'brevity'?"),
        ("mine.py:inner", "has no 'inner'. Fix: it has: Caller, annotated"),
        ("mien.py:brevity", "no such file. Fix: did you mean '{rewards}/mine.py'?"),
        ("zzzzzzzz.py:brevity", "no such file. Fix: a reward in a file is named PATH.py:FUNCTION"),
        ("broken.py:f", "line 2: invalid syntax. Fix: correct the file"),
        ("binary.py:f", "source code string cannot contain null bytes"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(
    project: Path, name: str, message: str
) -> None:
    rewards = project / "rewards"
    (rewards / "broken.py").write_text("\nclass class")
    (rewards / "binary.py").write_bytes(b"\0")
    with pytest.raises(ConfigError) as caught:
        check_user_code(recipe_with(f"{rewards}/{name}"))
    assert f"rewards.0.name = '{rewards}/{name}': " in str(caught.value)
    assert message.format(rewards=rewards) in str(caught.value)


def test_what_an_import_of_everything_brings_is_not_known_before(project: Path) -> None:
    (project / "all.py").write_text("from elsewhere import *")
    check_user_code(recipe_with(f"{project}/all.py:anything"))


def test_parameters_that_the_function_does_not_take_are_refused(project: Path) -> None:
    name = f"{project}/rewards/mine.py"
    check_user_code(recipe_with(f"{name}:brevity", limit=2))
    check_user_code(recipe_with(f"{name}:guarded", anything=2))
    with pytest.raises(ConfigError, match=r"rewards\.0\.params\.limt: unknown; did you mean `limi"):
        check_user_code(recipe_with(f"{name}:brevity", limt=2))
    with pytest.raises(ConfigError, match=r"rewards\.0\.params\.prompt: unknown"):
        check_user_code(recipe_with(f"{name}:guarded", prompt="p"))


@pytest.mark.parametrize(
    ("variables", "document", "own"),
    [
        ({}, {}, []),
        ({"PLAUDIT_REWARD_USER_CODE_DIRS": '["/a"]'}, {}, ["/a"]),
        ({}, {"reward": {"user_code_dirs": ["/b"]}}, ["/b"]),
    ],
)
def test_services_that_a_run_starts_itself_run_its_files_and_what_the_user_allows(
    project: Path, variables: dict[str, str], document: dict[str, object], own: list[str]
) -> None:
    recipe = read_recipe(str(project / "recipe.toml"), [])
    environment = Environment(variables, document=document)
    for spec in topology(recipe, environment, None, 1).specs():
        if spec.name.startswith("reward"):
            allowed = json.loads(spec.env["PLAUDIT_REWARD_USER_CODE_DIRS"])
            assert allowed == [*own, str(project / "rewards")]
    without = recipe.model_copy(update={"rewards": [RewardRecipe(name="format")]})
    without = without.model_copy(update={"eval": Recipe.model_fields["eval"].default})
    assert topology(without, environment, None, 1).extra_env == {}


def test_a_file_that_is_gone_when_a_run_is_resumed_is_refused(project: Path) -> None:
    recipe = read_recipe(str(project / "recipe.toml"), [])
    (project / "rewards/mine.py").unlink()
    with pytest.raises(ConfigError, match="no such file"):
        check_user_code(recipe)


def test_people_read_names_without_directories_where_that_tells_them_apart() -> None:
    names = ["total", "/a/mine.py:f", "/a/mine.py:g", "/b/mine.py:g"]
    assert list(short_names(names).values()) == ["total", "mine.py:f", *names[2:]]


async def test_a_reward_that_is_not_available_ends_the_check_with_the_reason() -> None:
    """As the reward service lists the entry points of packages that cannot be imported."""
    app = FastAPI()
    app.state.draining = asyncio.Event()
    known = {"pool": "rules", "description": "", "source": "", "params_schema": {}}
    broken = {"available": False, "reason": "RuntimeError: not today"}
    listed = [{"name": "format", **known}, {"name": "broken", **known, **broken}]
    app.add_api_route("/v1/rewards", lambda: {"rewards": listed})
    with running(app, ServiceSettings(drain_timeout_s=0.2)) as url:
        environment = Environment({"PLAUDIT_REWARD_URL": url}, document={})
        assert (await check_reward_names(recipe_with("format"), environment)).ok
        with pytest.raises(ConfigError, match=r"'broken': not available: RuntimeError: not today"):
            await check_reward_names(recipe_with("broken"), environment)
        with pytest.raises(ConfigError, match="no such reward"):
            await check_reward_names(recipe_with("other"), environment)
        assert (await check_reward_names(recipe_with("/a/mine.py:f"), environment)).ok
