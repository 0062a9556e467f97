"""The linear form of `format` is the regular expression."""

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_reward.rewards.format import _is_formatted

PATTERN = re.compile(r"<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>\n?", re.DOTALL)
PIECES = ["<think>", "</think>", "<answer>", "</answer>", "\n", "x", " "]
GOOD = "<think>\nI add.\n</think>\n<answer>\n4\n</answer>"


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
def test_agrees_with_the_pattern(text: str) -> None:
    assert _is_formatted(text) == bool(PATTERN.fullmatch(text))


@settings(max_examples=500)
@given(st.integers(0, len(GOOD)), st.sampled_from([*PIECES, "\n</think>\n<answer>\n"]))
def test_agrees_with_the_pattern_near_a_good_text(position: int, piece: str) -> None:
    text = GOOD[:position] + piece + GOOD[position:]
    assert _is_formatted(text) == bool(PATTERN.fullmatch(text))
    shorter = GOOD[:position] + GOOD[position + 1 :]
    assert _is_formatted(shorter) == bool(PATTERN.fullmatch(shorter))


def test_takes_linear_time_on_text_made_to_backtrack() -> None:
    text = "<think>\n" + "\n</think>\n<answer>\n" * 50_000
    started = time.process_time()
    assert not _is_formatted(text)
    assert time.process_time() - started < 5
