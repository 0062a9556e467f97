"""What a discriminator reads: situations, actions, templates; and what it learns from."""

from typing import Any

import pytest
from pydantic import ValidationError

from plaudit.errors import Rejected
from plaudit.schemas.common import Message
from plaudit.schemas.discriminator import DiscriminatorUpdate, Example
from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.models.discriminator.examples import examples_of
from plaudit_reward.models.discriminator.situation import Situation, expert_action, situation_of
from plaudit_reward.models.discriminator.template import GRAIL_TEXT, checked_template
from plaudit_reward.reward import Missing
from tests.reward.models.discriminator.conftest import slate

PETS = Situation("watched: wolves", "a hunter", ("cats", "dogs", "birds"))


def test_the_text_is_grails() -> None:
    assert PETS.text(GRAIL_TEXT, "dogs") == (
        "VIEWER: a hunter\nSTATE: watched: wolves\nSLATE: cats | dogs | birds\nACTION_NAME: dogs"
    )


def test_a_line_without_content_is_left_out_and_braces_are_text() -> None:
    text = Situation("{viewer} {0} {state.__class__}").text(GRAIL_TEXT, "{action}")
    assert text == "STATE: {viewer} {0} {state.__class__}\nACTION_NAME: {action}"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{action.__class__}", "{action.__class__}"),
        ("{action!r}", "{action}"),
        ("{action:99999999}", "{action}"),
        ("{user} {action}", "{user}"),
        ("{0}{action}", "{0}"),
        ("{action", "expected '}'"),
        ("{action}\n{state}", "last line"),
        ("nothing", "last line"),
    ],
)
def test_a_template_with_more_than_names_is_refused(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("{", r"\{")):
        checked_template(template)


ACTIONS = [
    ("<answer>2</answer>", "dogs"),
    ("<think>3?</think><answer> option 3 </answer>", "birds"),
    ("<answer>cats</answer>", "cats"),
    ("<answer>0</answer>", None),
    ("<answer>4</answer>", None),
    ("<answer>99999999999999999999</answer>", None),
    ("<answer>mice</answer>", None),
    ("2", None),
    ("", None),
    ("<answer>" * 9999, None),
]


@pytest.mark.parametrize(("text", "action"), ACTIONS)
def test_of_options_an_action_is_a_number_or_a_name(text: str, action: str | None) -> None:
    assert PETS.action_of(text) == action


def test_without_options_the_whole_text_is_the_action() -> None:
    assert Situation("s").action_of("any <answer>2</answer>") == "any <answer>2</answer>"
    assert Situation("s").action_of(" \n") is None


def group(reference: dict[str, Any], prompt: str = "") -> RewardGroup:
    messages = [Message(role="user", content=prompt)] if prompt else []
    return RewardGroup(
        group_id="g", prompt=messages, completions=[Answer(text="x")], reference=reference
    )


def test_without_a_state_the_prompt_is_it() -> None:
    found = situation_of(group({"discriminator": {"options": ["a"]}}, "Which?"))
    assert found == Situation("Which?", "", ("a",))
    assert situation_of(group({}, "Which?")) == Situation("Which?")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "is no object"),
        ([1], "is no object"),
        ({"slate": []}, "has 'slate'; it takes viewer, state, options, expert"),
        ({"state": 4}, "must be texts"),
        ({"state": "s", "viewer": None}, "must be texts"),
        ({"state": "s", "options": "ab"}, "must be at most 1024 texts"),
        ({"state": "s", "options": ["a", ""]}, "none of them empty"),
        ({"state": "s", "options": ["a"] * 1025}, "at most 1024"),
        ({"state": " "}, "state is missing"),
        ({}, "state is missing"),
    ],
)
def test_what_is_no_situation_has_a_reason(given: Any, why: str) -> None:
    found = situation_of(group({"discriminator": given}))
    assert isinstance(found, Missing)
    assert why in found.reason


@pytest.mark.parametrize(
    ("reference", "expert"),
    [
        ({"gold_index": 2}, "dogs"),
        ({"gold_index": 4}, None),
        ({"gold_index": 0}, None),
        ({"gold_index": True}, None),
        ({"gold_index": "2"}, None),
        ({}, None),
        ({"discriminator": {"expert": "cats"}, "gold_index": 2}, "cats"),
        ({"discriminator": {"expert": 3}}, "birds"),
        ({"discriminator": {"expert": "mice"}}, None),
    ],
)
def test_the_experts_action_is_an_option(reference: dict[str, Any], expert: str | None) -> None:
    assert expert_action(group(reference), PETS) == expert


def test_without_options_the_expert_says_the_answer() -> None:
    assert expert_action(group({"answer": 18}), Situation("s")) == "18"
    reference = {"answer": "18", "discriminator": {"expert": "It is 18."}}
    assert expert_action(group(reference), Situation("s")) == "It is 18."
    assert expert_action(group({}), Situation("s")) is None


def learned(*groups: RewardGroup, extra: int = 0, seed: str = "s") -> list[tuple[str, int]]:
    found = examples_of(DiscriminatorUpdate(groups=list(groups)), "{action}", extra, seed)
    return [(one.text, one.label) for one in found.labelled]


def test_right_choices_are_no_negatives() -> None:
    answers = [f"<answer>{index}</answer>" for index in (1, 2, 3, 2, 9)]
    found = examples_of(DiscriminatorUpdate(groups=[slate(*answers)]), "{action}", 0, "s")
    assert [(one.text, one.label) for one in found.labelled] == [
        ("dogs", 1),
        ("cats", 0),
        ("birds", 0),
    ]
    assert found.num_left_out == 1


def test_a_group_without_an_expert_is_left_out() -> None:
    found = examples_of(DiscriminatorUpdate(groups=[slate("2", gold=7)]), "{action}", 5, "s")
    assert (found.labelled, found.num_left_out) == ([], 1)


def test_extra_negatives_are_other_options_and_the_same_when_it_is_tried_again() -> None:
    once = learned(slate("<answer>2</answer>"), extra=1)
    assert once == learned(slate("<answer>2</answer>"), extra=1)
    assert {text for text, label in once if label == 0} < {"cats", "birds"}
    assert sorted(learned(slate("x"), extra=9)) == [("birds", 0), ("cats", 0), ("dogs", 1)]


def test_an_example_is_a_text_or_an_action() -> None:
    given = DiscriminatorUpdate(
        examples=[
            Example(label=1, text="all of it"),
            Example(label=0, action="dogs", state="s", options=["cats", "dogs"]),
        ]
    )
    found = examples_of(given, GRAIL_TEXT, 0, "s").labelled
    assert [one.text for one in found] == [
        "all of it",
        "STATE: s\nSLATE: cats | dogs\nACTION_NAME: dogs",
    ]
    for wrong in ({}, {"text": "a", "action": "b"}, {"text": "a", "state": "b"}):
        with pytest.raises(ValidationError):
            Example(label=1, **wrong)
    with pytest.raises(ValidationError, match="examples, groups, or both"):
        DiscriminatorUpdate()


def test_an_update_is_bounded() -> None:
    many = slate(*["<answer>1</answer>"] * 256)
    with pytest.raises(Rejected, match="4112 examples, over 4096"):
        learned(*[many] * 16)
