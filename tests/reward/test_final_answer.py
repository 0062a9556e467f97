"""Which part of a text is its answer."""

import time

import pytest

from plaudit_reward.final_answer import final_answer, is_maths


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{4}, not 5", "4"), (r"\boxed{1} or \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\boxed{4}}", "4"), (r"\boxed{4", "4"), (r"\boxed{}", None),
        ("<answer> 4 </answer> 5", "4"), ("<answer>4</answer><answer>5</answer>", "5"),
        ("<answer>4", "4"), ("<answer></answer> 5", None),
        ("<answer>New  York.</answer>", "new york"),
        (r"<answer>\boxed{4} apples</answer>", "4"), (r"\boxed{3} <answer>4</answer>", "4"),
        (r"It is $\frac{1}{2}$.", r"\frac{1}{2}"), (r"It is $$\frac{1}{2}$$", r"\frac{1}{2}"),
        (r"It is \(\frac{1}{2}\).", r"\frac{1}{2}"), (r"$x$ is \[\pi\] now", r"\pi"),
        ("It is 4.", "4"), ("3 + 1 = 4", "4"), ("-4", "-4"), ("10-5", "5"), ("1/2", "1/2"),
        ("$1,234,567.80", "1234567.80"), ("1,2345", "2345"), ("1, 2", "2"), ("4 apples, 5", "5"),
        ("It costs $5, not $6.", "6"), ("no idea", None), ("", None), ("\ud800", None), ("٤", None),
    ],
)  # fmt: skip
def test_boxes_come_before_tags_formulas_and_numbers(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


def test_names_are_not_maths() -> None:
    assert is_maths("4 apples")
    assert is_maths(r"\pi")
    assert not is_maths("Paris")


@pytest.mark.parametrize(
    "piece", [r"\boxed{", "{", "}", "<answer>", "$", r"\(\[", "1,", "1,234", "-", ".1", "1/", " "]
)
def test_a_megabyte_is_quick(piece: str) -> None:
    started = time.process_time()
    final_answer(piece * (2**20 // len(piece)))
    final_answer(r"\boxed{" + piece * (2**20 // len(piece)))
    assert time.process_time() - started < 10
