"""Rubrics from files: those of one's own, and what is wrong with them."""

import re
import shutil
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit_judge.rubric_files import SHIPPED_DIR, load_rubric, load_rubrics

DOCS = Path(__file__).parents[2] / "docs" / "judge.md"
CRITERION = """

[[criteria]]
name = "brevity"
description = "Short."
"""


def test_a_rubric_of_ones_own_joins_the_shipped_ones(tmp_path: Path) -> None:
    text = (SHIPPED_DIR / "demo.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('"demo"', '"mine"'))
    assert {*load_rubrics(tmp_path)} - {*load_rubrics()} == {"mine"}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "demo"', 'name = "other"', "name is 'other', the file says 'demo'"),
        ("version = 1", "version = 0", "version: "),
        ("{a}", "", "the place {a} is missing"),
        ("max_tokens = 12", "max_tokens = 12\nmax_token = 3", "max_token: Extra inputs"),
        ("temperature = 0.0", "temperature = ", "cannot be read as a rubric"),
        ("version = 1", 'version = 1\nreference = "r {reference}"', "place {reference}"),
        ("[pairwise]", "[pointwise]", "pointwise.user: the place {response} is missing"),
        ("user =", 'usr = ""\nuser =', "pairwise.usr: Extra inputs"),
    ],
)
def test_a_wrong_rubric_file_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = tmp_path / "demo.toml"
    shutil.copy(SHIPPED_DIR / "demo.toml", path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_rubric(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_name_version_description_and_criteria_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "brief.toml"
    path.write_text('name = "brief"\nversion = 1\ndescription = "Short."' + CRITERION)
    rubric = load_rubric(path)
    assert rubric.info().modes == ["pairwise", "pointwise", "listwise"]
    assert (rubric.temperature, rubric.max_tokens) == (0.0, 1000)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("", "give criteria, or the table [pairwise]"),
        (CRITERION * 2, "a name is given twice"),
        (
            CRITERION + "points = 1" + CRITERION.replace("brevity", "order"),
            "to all of them, or none",
        ),
        (CRITERION + "points = 2\nweight = 2", "neither a scale nor weights"),
        (CRITERION + "points = 2\n[scale]\nmin = 0\nmax = 1", "neither a scale nor weights"),
        (CRITERION + "[scale]\nmin = 1\nmax = 1", "min 1 is not below max 1"),
        (CRITERION + "[scale]\nmin = 1\nmax = inf", "scale.max: Input should be"),
        (CRITERION + "weight = 0", "weight: Input should be greater than 0"),
        (CRITERION.replace("brevity", "Long winded"), "name: String should match"),
        ("\n[scale]\nmin = 0\nmax = 1", "there are no criteria to be scored on it"),
        ('\n[pointwise]\nuser = "{prompt} {response}"', "there are no criteria to be scored"),
    ],
)
def test_criteria_that_make_no_sense_are_named(tmp_path: Path, more: str, complaint: str) -> None:
    path = tmp_path / "brief.toml"
    path.write_text('name = "brief"\nversion = 1\ndescription = "Short."' + more)
    with pytest.raises(ConfigError) as caught:
        load_rubric(path)
    assert complaint in str(caught.value)


def test_the_rubric_in_the_docs_is_one(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    path = tmp_path / "brief.toml"
    path.write_text(next(block for block in blocks if "[[criteria]]" in block))
    weights = [item.weight for item in load_rubric(path).criteria]
    assert weights == [2.0, 1.0]


def test_a_missing_rubric_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rubric_dir"):
        load_rubrics(tmp_path / "nowhere")
