"""Where a text keeps its answer, found in linear time."""

import time

import pytest

from plaudit_reward.layout import answer_part, boxed_answer, reasoning_part, tagged_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{4}, not 5", "4"), (r"\boxed{1} or \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\boxed{4}}", "4"), (r"\boxed{}", ""), (r"\boxed{4", None), ("4}", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_last_box_counts(text: str, answer: str | None) -> None:
    assert boxed_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer> 4 </answer> 5", "4"), ("<answer>4</answer><answer>5</answer>", "5"),
        ("<answer>4", "4"), ("<answer></answer>", ""), ("4</answer>", None), ("", None),
    ],
)  # fmt: skip
def test_the_last_tag_counts(text: str, answer: str | None) -> None:
    assert tagged_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("So <reasoning>\n a </reasoning> b", "a"), ("<think>a</think>\n\nb", "a"),
        ("<think>a</think><reasoning>b</reasoning>", "b"), (" a</think> b", "a"),
        ("<reasoning>a", "a"), ("<reasoning></reasoning> b", ""), (" a ", "a"), ("", ""),
        ("<reasoning>a</reasoning><reasoning>b</reasoning>", "a"),
    ],
)  # fmt: skip
def test_the_first_reasoning_counts(text: str, reasoning: str) -> None:
    assert reasoning_part(text) == reasoning


def test_an_answer_part_is_what_the_first_middle_leaves() -> None:
    assert answer_part("[a|b|c]", "[", "|", "]") == "b|c"
    assert answer_part("[|]", "[", "|", "]") == ""
    for text in ("[a]", "[a|b] ", " [a|b]", "[|", "|]", ""):
        assert answer_part(text, "[", "|", "]") is None


def test_the_parts_of_a_layout_do_not_overlap() -> None:
    assert answer_part("[[]]", "[[", "[]", "]]") is None
    assert answer_part("<>", "<", "<>", ">") is None


@pytest.mark.parametrize("piece", [r"\boxed{", "{", "{}", "}", "<answer>", "</answer>", " "])
def test_a_megabyte_is_quick(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    started = time.process_time()
    for one in (text, r"\boxed{" + text, "<answer>" + text):
        boxed_answer(one)
        tagged_answer(one)
        reasoning_part(one)
    assert time.process_time() - started < 10
