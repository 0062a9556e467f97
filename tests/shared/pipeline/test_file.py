"""Pipeline files: what is wrong with one is told before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from plaudit.config.toml import dump_toml
from plaudit.errors import ConfigError
from plaudit.pipeline.check import check_stages
from plaudit.pipeline.directory import create_pipeline_dir, open_pipeline_dir
from plaudit.pipeline.file import dump_pipeline, find_pipeline, read_pipeline
from plaudit.pipeline.references import places_in
from plaudit.pipeline.stage_command import overrides
from plaudit.schemas.pipeline import PipelineFile

ONLINE = 'name = "on"\n[[rewards]]\nname = "accuracy"\n'
OFFLINE = 'name = "off"\n[method]\nname = "sft"\n'


@pytest.fixture
def write(tmp_path: Path):
    (tmp_path / "on.toml").write_text(ONLINE)
    (tmp_path / "off.toml").write_text(OFFLINE)

    def make(*stages: dict[str, Any], name: str = "p") -> Path:
        path = tmp_path / "pipeline.toml"
        path.write_text(dump_toml({"name": name, "stages": list(stages)}))
        return path

    return make


def stage(name: str, recipe: str = "on.toml", **parts: Any) -> dict[str, Any]:
    return {"name": name, "recipe": recipe, **parts}


def test_recipes_are_found_beside_the_file_or_by_name_and_the_copy_reads_the_same(
    write, tmp_path: Path
) -> None:
    found = read_pipeline(write(stage("a"), stage("b", "demo")))
    assert found.stages[0].recipe == str(tmp_path / "on.toml")
    assert found.stages[1].recipe.endswith("recipes/demo.toml")
    copy = tmp_path / "elsewhere" / "copy.toml"
    copy.parent.mkdir()
    copy.write_text(dump_pipeline(found))
    assert read_pipeline(copy) == found


def test_references_become_places_and_texts_stay_texts(write, tmp_path: Path) -> None:
    settings = {
        "model.path": "{a.final}",
        "name": "007",
        "eval.samples": 2,
        "data": {"train": "{a.run}/rows.jsonl", "format": "gsm8k"},
    }
    second = read_pipeline(write(stage("a"), stage("b", set=settings))).stages[1]
    assert overrides(second, places_in(tmp_path)) == [
        f'model.path="{tmp_path}/a/final"',
        'name="007"',
        "eval.samples=2",
        f'data.train="{tmp_path}/a/rows.jsonl"',
        'data.format="gsm8k"',
    ]


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([stage("a", set={"x": "{aa.final}"})], "stage 'a': {aa.final}: unknown; valid: none"),
        (
            [stage("sft"), stage("b", set={"x": "{stf.final}"})],
            "stage 'b': {stf.final}: unknown; did you mean `sft`?",
        ),
        ([stage("a", set={"x": "{a.final}"})], "the stage 'a' does not come before this one"),
        (
            [stage("a", env={"PLAUDIT_X": "{b.run}"}), stage("b", set={"x": ["{a.run}"]})],
            "stage 'a': {b.run}: the stage 'b' does not come before this one",
        ),
        ([stage("a"), stage("b", set={"x": "{a.fnal}"})], "did you mean `final`?"),
        (
            [stage("a", kind="evaluate"), stage("b", set={"x": "{a.final}"})],
            "the stage 'a' evaluates and leaves no model",
        ),
        ([stage("a"), stage("a")], "two have the name 'a'"),
        ([stage("a", env={"PATH": "/"})], "only variables that begin with PLAUDIT_"),
        ([stage("a", env={"PLAUDIT_API_KEY": "k"})], "env.PLAUDIT_API_KEY: no keys in a pipeline"),
        ([stage("a", "none.toml")], "stage 'a': RECIPE 'none.toml': no such file"),
        ([stage("A")], "stages.0.name = 'A'"),
        ([], "stages"),
    ],
)
def test_a_mistake_is_told_with_its_stage(write, stages: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_pipeline(write(*stages))
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (stage("b", set={"methd.beta": 1}), "stage 'b': The recipe"),
        (
            stage("b", "off.toml", kind="evaluate"),
            "budget.steps = 0: only online methods evaluate without training",
        ),
        (
            stage("b", env={"PLAUDIT_REWARD_MODELS__rm__path": "{a.final}"}),
            "env.PLAUDIT_REWARD_MODELS__rm__path is for services that this command starts",
        ),
    ],
)
def test_every_stage_is_a_recipe_that_fits_its_kind(
    write, tmp_path: Path, second: dict[str, Any], said: str
) -> None:
    pipeline = read_pipeline(write(stage("a"), second))
    with pytest.raises(ConfigError) as caught:
        check_stages(pipeline, places_in(tmp_path), up=False)
    assert said in caught.value.message


def test_what_the_services_of_a_stage_are_told_is_fine_with_up(write, tmp_path: Path) -> None:
    env = {"PLAUDIT_REWARD_MODELS__rm__path": "{a.final}", "PLAUDIT_JUDGE_URL": "http://x"}
    pipeline: PipelineFile = read_pipeline(write(stage("a"), stage("b", env=env)))
    check_stages(pipeline, places_in(tmp_path), up=True)


@pytest.mark.parametrize(
    "name", ["sft-dpo-rloo-tiny", "sft-rm-ppo-tiny", "unit_rm-unit_ppo-tiny", "sft-dpo-rloo"]
)
def test_the_shipped_pipelines_are_right(name: str, tmp_path: Path) -> None:
    check_stages(read_pipeline(find_pipeline(name)), places_in(tmp_path), up=True)


def test_an_unknown_pipeline_lists_those_that_come_with_plaudit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_pipeline("nothing")
    assert "sft-dpo-rloo-tiny" in str(caught.value)


def test_a_directory_of_something_else_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a pipeline's directory"):
        open_pipeline_dir("p", tmp_path)
    file = read_pipeline(find_pipeline("sft-rm-ppo-tiny"))
    create_pipeline_dir(tmp_path / "p", file)
    assert open_pipeline_dir("p", tmp_path).file == file
    (tmp_path / "p" / "pipeline.json").write_text("{}")
    with pytest.raises(ConfigError, match="is damaged"):
        open_pipeline_dir("p", tmp_path)


def test_every_change_of_a_stage_is_on_disk_at_once(tmp_path: Path) -> None:
    directory = create_pipeline_dir(tmp_path / "p", read_pipeline(find_pipeline("sft-rm-ppo-tiny")))
    directory.update("rm", state="failed", wall_s=2.5, error="no")
    found = open_pipeline_dir("p", tmp_path).summary
    assert [stage.state for stage in found.stages] == ["pending", "failed", "pending"]
    assert found.stages[1].wall_s == 2.5
