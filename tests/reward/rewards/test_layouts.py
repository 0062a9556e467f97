"""`code_format` and `reasoning_steps` are their regular expressions, in linear time."""

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_reward.rewards.code_format import _has_block
from plaudit_reward.rewards.reasoning_steps import _num_steps

PATTERN = re.compile(
    r"<think>\n.*?\n</think>\n<answer>\n.*?```python\n.*?```.*?\n</answer>\n?", re.DOTALL
)
GOOD = "<think>\nhm\n</think>\n<answer>\n```python\n4\n```\n</answer>"
PIECES = ["\n</think>\n<answer>\n", "```python\n", "```", "\n</answer>", "\n", "x"]


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_agrees_with_the_pattern(middle: str) -> None:
    for text in (f"<think>\n{middle}", f"<think>\n{middle}\n</answer>"):
        assert _has_block(text, "```python\n") == bool(PATTERN.fullmatch(text))


@given(st.integers(0, len(GOOD)), st.sampled_from(["", *PIECES]), st.integers(0, 1))
def test_agrees_with_the_pattern_near_a_good_text(at: int, piece: str, cut: int) -> None:
    text = GOOD[:at] + piece + GOOD[at + cut :]
    assert _has_block(text, "```python\n") == bool(PATTERN.fullmatch(text))


async def test_a_language_that_is_no_text_leaves_the_parameter(score: Any, group: Any) -> None:
    assert await score("code_format", group(GOOD, language=None)) == [1.0]


@pytest.mark.parametrize("piece", ["Step 1", "Step ", "1", "\n1", "\n", "- ", "\n-", "First"])
def test_steps_in_a_megabyte_are_quick(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    started = time.process_time()
    _num_steps(text, 1000)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("piece", ["\n</think>\n<answer>\n", "```python\n", "```", "\n</answer>"])
def test_a_megabyte_is_quick(piece: str) -> None:
    text = f"<think>\n{piece * (2**20 // len(piece))}\n</answer>"
    started = time.process_time()
    _has_block(text, "```python\n")
    assert time.process_time() - started < 10
