"""`extractive_match` finds the number that a text means as its answer."""

import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit_reward.rewards.extractive_match import _answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("It is 18.", "18"), ("18.50", "18.5"), (".5", "0.5"), ("1/2", "1/2"), ("-4", "-4"),
        ("\u22124", "-4"), ("10-5", "5"), ("(-4)", "-4"), ("$1,234,567.80", "1234567.8"),
        ("1,2345", "2345"), ("1{,}000", "1000"), ("4 apples, 5", "5"), ("**7**", "7"),
        ("Answer: 7\nThat took 3 lines.", "7"), ("the answer is:\n7, as 3 + 4 = 7.0", "7"),
        ("The answer is x = 3 + 4 = 7 of 9", "7"), ("answer = 7, 8", "7"),
        ("The answer is 18. I hope that this answer is right.", "18"),
        ("My answer is 3. No, the answer is 4, not 5", "4"),
        ("<answer>4</answer> 5", "5"), ("the answers are 4 and 5", "5"),
        (r"\boxed{7} so the answer is 8", "7"), (r"\boxed{7", "7"),
        (r"\boxed{-\frac{3}{4}}", "-3/4"),
        (r"\boxed{18^\circ}", "18"), (r"\boxed{18 m^2}", "18"), (r"\boxed{\text{18 km}}", "18"),
        (r"\boxed{y = 2 = 18\%}", "18"), (r"\boxed{18.}", "18"), (r"\boxed{\$18}", "18"),
    ],
)  # fmt: skip
def test_finds_the_number(text: str, number: str) -> None:
    assert _answer(text) == Fraction(number)


@pytest.mark.parametrize(
    "text",
    [
        "", "no idea", "\ud800", "٤", r"\boxed{}", r"\boxed{x} 18", r"\boxed{18 or 19}",
        r"\boxed{2x}", r"\boxed{(1, 2)}", r"\boxed{2\frac{1}{2}}", "1/0", r"\boxed{18+x}",
    ],
)  # fmt: skip
def test_finds_none(text: str) -> None:
    assert _answer(text) is None


@given(st.integers(-(10**9), 10**9))
def test_every_way_to_write_a_number_is_that_number(number: int) -> None:
    for text in (f"{number}", f"{number:,}", f"{number}.00", rf"\boxed{{{number:,}\text{{ km}}}}"):
        assert _answer(text) == number


async def test_a_reference_without_a_number_says_so(score: Any, group: Any) -> None:
    for answer in ("x", "2x", "(1, 2)", "#### "):
        assert await score("extractive_match", group("1", answer=answer)) == [
            "reference.answer is not a number"
        ]


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{", "{", "}", "1", "1,", "1,234", "-", ".1", "1/", " ", "answer", "answer is ",
        "answer is 1", "answer: 1=", "1=", "x=", r"\frac{1", r"\frac{1}{2}", r"\text{", "$", "=",
    ],
)  # fmt: skip
def test_a_megabyte_is_quick(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    for one in (text, f"answer is {text}", rf"\boxed{{18 km {text}}}", rf"\boxed{{{text}}}"):
        started = time.process_time()
        _answer(one)
        assert time.process_time() - started < 10
