"""`choice` finds the letter that a text chooses."""

import time
from typing import Any

import pytest

from plaudit_reward.rewards.choice import _chosen


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("c", "C"), ("[C]", "C"), ("C: Paris", "C"), ('"C"', "C"), ("Option C", "C"),
        ("choice (c)", "C"),
        (r"\boxed{\textbf{(C)}}", "C"), (r"\boxed{C. Paris}", "C"), ("<answer>**C**</answer>", "C"),
        ("The correct answer is **C**.", "C"), ("Answer:\n\nC", "C"), ("ANSWER: $C$", "C"),
        ("The answer is C. The answer is clear.", "C"), ("A is wrong.\n\n**C**\n", "C"),
        (r"\boxed{} C", None), (r"\boxed{A, C}", None), ("<answer>A or C</answer>", None),
        ("A dog", None), ("A. x\nB. y\nC. z", None), ("Can it be?", None), ("", None),
        ("\ud800", None),
    ],
)  # fmt: skip
def test_finds_the_letter(text: str, letter: str | None) -> None:
    assert _chosen(text, "ABCD") == letter


def test_letters_that_are_not_offered_are_passed_over() -> None:
    assert _chosen("(B), said the answer: I think", "ABCD") == "B"
    assert _chosen("(B), said the answer: I think", "ABCDEFGHI") == "I"


async def test_a_reference_that_is_no_option_says_so(score: Any, group: Any) -> None:
    for answer in ("E", "AB", 2, "?"):
        assert await score("choice", group("A", answer=answer)) == [
            "reference.answer is none of the letters A to D"
        ]


@pytest.mark.parametrize(
    "piece", ["answer is ", "answer:", "(", "(B", "B\n", "\n", " ", "*", "option ", "B."]
)
def test_a_megabyte_is_quick(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    for one in (text, rf"\boxed{{{text}}}", f"<answer>{text}"):
        started = time.process_time()
        _chosen(one, "ABCD")
        assert time.process_time() - started < 10
