"""Requests that can never be judged are refused before they are queued."""

from pathlib import Path
from typing import Any

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.common import Message
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit_judge.checks import check_request
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings

PROMPT = [Message(role="user", content="Count.")]
RUBRICS = load_rubrics()
GENRM = {"kind": "nemotron_genrm", "model": "m"}
SETTINGS = JudgeSettings.model_validate(
    {
        "judges": {
            "genrm": GENRM,
            "people": {"kind": "human", "path": str(Path(__file__))},
            "rule": {"kind": "rule", "rule": "longer"},
            "panel": {"kind": "jury", "judges": ["self", "rule"], "quorum": 1},
            "few": {"kind": "jury", "judges": ["self", "rule", "genrm"]},
        }
    }
)


def check(verb: str, **fields: Any) -> None:
    asked: dict[str, Any] = {"prompt": PROMPT} | fields
    request = (
        PointwiseRequest(response="x", **asked)
        if verb == "pointwise"
        else ListwiseRequest(responses=["x", "y"], **asked)
    )
    check_request(SETTINGS, RUBRICS, request)


@pytest.mark.parametrize("verb", ["pointwise", "listwise"])
@pytest.mark.parametrize("judge", ["genrm", "people", "few"])
def test_a_judge_that_only_compares_is_refused_with_those_that_score(judge: str, verb: str) -> None:
    with pytest.raises(
        Rejected, match=f"'{judge}' gives no scores; those that do: panel, rule, se"
    ):
        check(verb, judge=judge)


@pytest.mark.parametrize("verb", ["pointwise", "listwise"])
def test_a_rubric_without_criteria_is_refused_with_those_that_have_some(verb: str) -> None:
    with pytest.raises(Rejected, match=f"'demo' cannot be used {verb}; those that can: code, eff"):
        check(verb, rubric="demo")
    check(verb, rubric="sr_r1", reference="18")
    check(verb, judge="panel")


def test_a_rubric_that_is_not_read_is_not_checked() -> None:
    check("pointwise", judge="rule", rubric="demo", reference="18")
    with pytest.raises(Rejected, match="there is no 'x'"):
        check("pointwise", judge="rule", rubric="x")


def test_a_prompt_without_messages_is_refused() -> None:
    with pytest.raises(Rejected, match="prompt: has no messages"):
        check("pointwise", prompt=[])
