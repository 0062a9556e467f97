"""Rubrics: texts of their own or made from criteria, modes, hash."""

from typing import Any

import pytest

import plaudit_judge.rubric
from plaudit.errors import Rejected
from plaudit.schemas.judge import Scale
from plaudit_judge.rubric import Rubric, check_mode
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.rubric_texts import Text

RUBRICS = load_rubrics()
BREVITY = {"name": "brevity", "description": "Short."}


def rubric(**fields: Any) -> Rubric:
    given = {"name": "brief", "version": 1, "description": "d", "criteria": [BREVITY]}
    return Rubric.model_validate(given | fields)


def test_the_shipped_rubrics_have_their_scales() -> None:
    scales = {name: one.info().scale for name, one in RUBRICS.items()}
    assert scales.pop("demo") is None
    assert scales.pop("sr_r1") == Scale(min=0, max=6)
    assert scales.pop("self_rewarding") == Scale(min=0, max=5)
    assert scales.keys() == {
        "factual_accuracy", "logical_soundness", "efficiency", "helpfulness", "math", "code"
    }  # fmt: skip
    assert set(map(str, scales.values())) == {str(Scale(min=1, max=5))}


def test_a_rubric_can_be_used_for_what_it_has_texts_for() -> None:
    assert RUBRICS["demo"].info().modes == ["pairwise"]
    assert RUBRICS["math"].info().modes == ["pairwise", "pointwise", "listwise"]
    check_mode(RUBRICS, "math", "listwise")
    with pytest.raises(Rejected, match="'demo' cannot be used pointwise; those that can: code,"):
        check_mode(RUBRICS, "demo", "pointwise")


def test_a_text_of_ones_own_replaces_the_generated_one() -> None:
    own = {"user": "{prompt} {response} {criteria}"}
    found = rubric(pointwise=own).texts
    assert found["pointwise"] == Text(**own)
    assert found["listwise"] == rubric().texts["listwise"]


def test_the_hash_follows_everything_that_the_judge_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashes = {
        rubric().sha256,
        rubric(temperature=0.7).sha256,
        rubric(reference="").sha256,
        rubric(scale={"min": 0, "max": 10}).sha256,
        rubric(criteria=[BREVITY | {"weight": 2}]).sha256,
        rubric(pointwise={"user": "{prompt} {response}"}).sha256,
    }
    assert len(hashes) == 6
    assert rubric().sha256 in hashes
    monkeypatch.setattr(
        plaudit_judge.rubric, "GENERATED", {"pairwise": Text(user="{prompt}{a}{b}")}
    )
    assert rubric().sha256 not in hashes


def test_a_reference_is_taken_where_a_text_has_a_place_for_it() -> None:
    assert RUBRICS["math"].info().takes_reference
    assert not rubric(reference="").info().takes_reference
    mixed = rubric(pairwise={"user": "{prompt} {a} {b}"})
    mixed.check_reference("pointwise", "18")
    with pytest.raises(Rejected, match="reference: the rubric 'brief' has no place for one"):
        mixed.check_reference("pairwise", "18")
