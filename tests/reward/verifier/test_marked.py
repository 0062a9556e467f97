"""The answer that a last line marks with ####."""

import time

import pytest

from plaudit_reward.verifier.marked import marked_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("5 + 5\n#### 10", "10"),
        ("#### 10", "10"),
        ("a\n####10  \n\n", "10"),
        ("a\n#### -1,000.5", "-1,000.5"),
        ("#### 3\n#### $\\frac{1}{2}$", "$\\frac{1}{2}$"),
    ],
)
def test_what_stands_after_the_mark_is_the_answer(text: str, answer: str) -> None:
    assert marked_answer(text, "any") == answer


@pytest.mark.parametrize(
    "text",
    [
        "10", "", "#### 10\nor 11", "so #### 10", "####", "#### \n", "##### 10",
        "\\boxed{9}\n#### 10", "#### " + "9" * 300,
    ],
)  # fmt: skip
def test_a_text_without_such_a_line_stays_whole(text: str) -> None:
    assert marked_answer(text, "any") == text


def test_the_rules_of_open_r1_know_no_mark() -> None:
    assert marked_answer("#### 10", "latex") == "#### 10"


def test_a_huge_text_of_marks_takes_no_time() -> None:
    started_s = time.process_time()
    marked_answer("\n####" * 200_000 + " " * 200_000, "any")
    assert time.process_time() - started_s < 10
