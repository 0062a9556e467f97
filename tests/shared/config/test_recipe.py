import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.config import dump_recipe, load_recipe
from plaudit.config.toml import dump_toml
from plaudit.errors import ConfigError
from plaudit.schemas.mixing import Gate
from plaudit.schemas.recipe import DataRecipe, EvalRecipe, JudgeRecipe, Recipe, RewardRecipe

MIXTURE = DataRecipe.model_validate(
    {
        "sources": [
            {"path": "o/n", "columns": {"question": "q"}, "weight": 0.5, "config": "main"},
            {"path": "b", "filters": [{"column": "a", "op": "not in", "value": ["x", 1]}]},
        ],
        "validation_fraction": 0.1,
        "grail": {"show_ids": True},
    }
)
MINIMAL = """
name = "tiny"

[[rewards]]
name = "accuracy"

[[rewards]]
name = "format"
weight = 0.5
params = { strict = true }

[method]
learning_rate = 1e-4
"""


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(MINIMAL)
    return path


def error_text(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, list(overrides))
    return str(caught.value)


def test_a_file_without_overrides_is_what_it_says(recipe_path: Path) -> None:
    recipe = load_recipe(recipe_path, [])
    assert [reward.weight for reward in recipe.rewards] == [1.0, 0.5]
    assert recipe.method.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("seed=7", 7),
        ("method.learning_rate=3e-5", 3e-5),
        ("method.scale_rewards=none", "none"),
        ('method.scale_rewards="none"', "none"),
        ("rewards.1.weight=2", 2.0),
        ("rewards.1.params.strict=false", False),
        ("rewards.0.params.tags=['a', 'b']", ["a", "b"]),
        ("rewards.0.params.text=a = b", "a = b"),
        ("data.train=/data/with space.jsonl", "/data/with space.jsonl"),
        ("judge.rubric=mine", "mine"),
        ("data.eval=", None),
        ("eval.reward_by_kind.sum=accuracy", "accuracy"),
    ],
)
def test_an_override_sets_one_value(recipe_path: Path, override: str, value: object) -> None:
    found: Any = load_recipe(recipe_path, [override]).model_dump()
    for part in override.partition("=")[0].split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    assert found == value


def test_later_overrides_win_and_lists_grow_at_their_end(recipe_path: Path) -> None:
    recipe = load_recipe(recipe_path, ["seed=1", "seed=2", "rewards.2.name=length"])
    assert recipe.seed == 2
    assert [reward.name for reward in recipe.rewards] == ["accuracy", "format", "length"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method.lerning_rate=1", "method.lerning_rate: unknown; did you mean `learning_rate`?"),
        ("metod.beta=1", "metod: unknown; did you mean `method`?"),
        ("rewards.0.wieght=1", "rewards.0.wieght: unknown; did you mean `weight`?"),
        (
            "method.importance_sampling.lvel=token",
            "method.importance_sampling.lvel: unknown; did you mean `level`?",
        ),
        ("judge.rubrik=x", "judge.rubrik: unknown; did you mean `rubric`?"),
        ("rewards.5.weight=1", "'5' is no index; the list has 2 items"),
        ("rewards.first.weight=1", "'first' is no index"),
        ("name.deep.er=1", "name.deep: a plain value has no parts"),
        ("method.beta", "must read name=value"),
        ("=3", "must read name=value"),
        ("method.loss_type=ppo", "method.loss_type = 'ppo': input should be 'grpo'"),
        ("budget.steps=-1", "budget.steps = -1: input should be greater than or equal to 0"),
        ("method=3", "method"),
        ("name=Bad Name", "name = 'Bad Name': string should match pattern"),
    ],
)
def test_a_wrong_override_is_named_with_its_path_and_value(
    recipe_path: Path, override: str, said: str
) -> None:
    assert said in error_text(recipe_path, override)


def test_all_errors_are_told_at_once(recipe_path: Path) -> None:
    text = error_text(recipe_path, "seed.a.b=1", "method.betta=1", "budget.steps=-1")
    assert text.count("\n") == 3


def test_a_recipe_without_any_reward_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text('name = "x"\n')
    assert "name at least one reward" in error_text(path)


@pytest.mark.parametrize("content", [None, b"a = \n", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in error_text(path)


RECIPES = [
    Recipe(name="a", judge=JudgeRecipe(kinds=["x"])),
    Recipe(name="a", judge=JudgeRecipe(schedule="swiss", swiss_rounds=4, rating="win_rate")),
    Recipe(name="a", rewards=[RewardRecipe(name="r")], data=DataRecipe(eval=None)),
    Recipe(name="a", rewards=[RewardRecipe(name="r")], data=MIXTURE),
    Recipe(
        name="a",
        rewards=[RewardRecipe(name="r", params={"deep": [{"k": [1, 2.5]}, {}], "a key.": "\x7f"})],
        eval=EvalRecipe(reward_by_kind={"a b": "r", '"': "\\"}),
    ),
    Recipe(name="a", rewards=[RewardRecipe(name="r", params={"list": [], "inf": math.inf})]),
    Recipe(
        name="a",
        rewards=[RewardRecipe(name="r", scale="group", clip=(-1.0, 2.0))],
        judge=JudgeRecipe(gate=Gate(reward="r", at_least=0.5)),
    ),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_dumped_recipe_reads_back_equal(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "dumped.toml"
    path.write_text(dump_recipe(recipe))
    assert load_recipe(path, []) == recipe


texts = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(texts, values, max_size=5))
def test_written_toml_reads_back_equal(document: dict[str, Any]) -> None:
    assert tomllib.loads(dump_toml(document)) == document


def test_what_toml_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"a\.b"):
        dump_toml({"a": {"b": [None]}})
