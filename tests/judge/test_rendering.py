"""The conversations that judges are asked with."""

import re

import pytest

from plaudit.errors import Rejected
from plaudit_judge.rendering import render_pair, render_scores, system_is_constant
from plaudit_judge.rubric import Rubric
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.rubric_texts import Text
from plaudit_judge.scores.criteria import Criterion

RUBRICS = load_rubrics()
SR_R1, DEMO = RUBRICS["sr_r1"], RUBRICS["demo"]


def test_the_demo_rubric_is_used_as_it_is() -> None:
    messages = render_pair(DEMO, "Say hi {a}", "hello {b}", "hey")
    assert [(m.role, m.content) for m in messages] == [
        ("user", "Judge: Say hi {a}\nA: hello {b}\nB: hey")
    ]


def test_sr_r1_has_six_points_and_asks_for_the_exact_last_line() -> None:
    system, user = render_pair(SR_R1, "p", "x", "y")
    assert (system.role, user.role) == ("system", "user")
    assert re.findall(r"^(\d)\. ", user.content, re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    assert user.content.endswith("Winner: response A\nWinner: response B")
    assert (SR_R1.temperature, SR_R1.max_tokens) == (0.5, 500)


def test_a_reference_is_shown_or_refused() -> None:
    assert "\n18 {b}\n" in render_pair(SR_R1, "p", "x", "y", "18 {b}")[-1].content
    assert "reference" not in render_pair(SR_R1, "p", "x", "y")[-1].content
    with pytest.raises(Rejected, match="reference: the rubric 'demo' has no place for one"):
        render_pair(DEMO, "p", "x", "y", "18")


def test_a_generated_text_asks_for_a_line_for_each_criterion() -> None:
    system, user = render_scores(SR_R1, "p", ["x"], "18")
    assert "4. notation (0 to 1 points): Notation and formatting" in system.content
    assert "\n18\n</reference-" in user.content
    assert user.content.endswith("\nquality: <number>\ncoverage: <number>")


def test_a_generated_list_asks_for_a_line_for_each_answer() -> None:
    user = render_scores(RUBRICS["efficiency"], "p", ["x", "y", "z"])[-1].content
    assert user.endswith(
        "Response B: directness: <number>, economy: <number>, result: <number>\n"
        "Response C: directness: <number>, economy: <number>, result: <number>"
    )


def test_weights_are_told_where_answers_are_compared_and_scales_where_they_are_scored() -> None:
    compared = render_pair(RUBRICS["math"], "p", "x", "y")[0].content
    scored = render_scores(RUBRICS["math"], "p", ["x"])[0].content
    assert "1. result (weight 3): The final" in compared
    assert "1. result (1 to 5): The final" in scored


def test_self_rewarding_adds_points_as_published() -> None:
    (user,) = render_scores(RUBRICS["self_rewarding"], "p", ["x"])
    steps = [
        "Add 1 point",
        "Add another point",
        "Award a third",
        "Grant a fourth",
        "Bestow a fifth",
    ]
    places = [user.content.index(step) for step in steps]
    assert places == sorted(places)
    assert 'in the format: "Score: <total points>"' in user.content


def test_a_place_in_a_criterion_is_not_filled() -> None:
    item = Criterion(name="places", description="Braces like {a} and {fence} stay.")
    rubric = Rubric(name="r", version=1, description="d", criteria=[item])
    system = render_pair(rubric, "p", "x", "y")[0].content
    assert "Braces like {a} and {fence} stay." in system


def test_braces_that_are_no_place_of_the_mode_stay() -> None:
    text = Text(user="{prompt} {a} {b} {response} {form} {x}")
    rubric = Rubric(name="r", version=1, description="d", pairwise=text)
    assert render_pair(rubric, "p", "1", "2")[0].content == "p 1 2 {response} {form} {x}"


def test_a_generated_system_message_can_be_cached() -> None:
    assert system_is_constant(RUBRICS["math"], "pointwise")
    assert not system_is_constant(SR_R1, "pairwise")
    assert not system_is_constant(DEMO, "pairwise")
    first, second = (render_pair(RUBRICS["math"], p, "x", "y")[0] for p in "pq")
    assert first == second
