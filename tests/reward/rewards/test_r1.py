"""R1's rewards are their regular expressions and arithmetic, in linear time."""

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_reward.rewards.r1 import _answer, _is_soft, _is_strict, _xml_count

GOOD = "<reasoning>\nI add.\n</reasoning>\n<answer>\n18\n</answer>\n"
STRICT = r"<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n"
SOFT = re.compile(r"<reasoning>.*?</reasoning>\s*<answer>.*?</answer>", re.DOTALL)
PIECES = ["<reasoning>", "</reasoning>", "<answer>", "</answer>", "\n", "x", " "]
LOOSE = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)
NEAR = st.builds(
    lambda at, piece, cut: GOOD[:at] + piece + GOOD[at + cut :],
    st.integers(0, len(GOOD)), st.sampled_from(["", *PIECES, "\n</reasoning>\n<answer>\n"]),
    st.integers(0, 1),
)  # fmt: skip
TEXTS = st.one_of(LOOSE, NEAR)


def published_xml_count(text: str) -> float:
    """As R1 computes it."""
    count = 0.0
    if text.count("<reasoning>\n") == 1:
        count += 0.125
    if text.count("\n</reasoning>\n") == 1:
        count += 0.125
    if text.count("\n<answer>\n") == 1:
        count += 0.125 - len(text.split("\n</answer>\n")[-1]) * 0.001
    if text.count("\n</answer>") == 1:
        count += 0.125 - (len(text.split("\n</answer>")[-1]) - 1) * 0.001
    return count


@settings(max_examples=500)
@given(TEXTS)
def test_formats_agree_with_the_patterns(text: str) -> None:
    assert _is_strict(text, False) == bool(re.fullmatch(STRICT, text))
    assert _is_strict(text, True) == bool(re.fullmatch(STRICT, text, re.DOTALL))
    assert _is_soft(text) == bool(SOFT.match(text))


@settings(max_examples=500)
@given(TEXTS)
def test_xml_count_as_published_is_the_published_one(text: str) -> None:
    assert _xml_count(text, True) == pytest.approx(published_xml_count(text))


@settings(max_examples=500)
@given(TEXTS)
def test_xml_count_gives_at_most_a_half_and_takes_only_for_what_follows(text: str) -> None:
    assert _xml_count(text, False) <= 0.5
    if "\n</answer>" not in text:
        assert _xml_count(text, False) >= 0.0
    else:
        assert _xml_count(text, False) >= _xml_count(text, True) - 0.001


async def test_a_perfect_text_gets_four(score: Any, group: Any) -> None:
    names = ["correctness", "int", "strict_format", "soft_format", "xml_count"]
    asked = group(GOOD, answer="#### 18")
    assert [(await score(name, asked))[0] for name in names] == [2.0, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "piece", ["<reasoning>", "</reasoning><answer>", "</reasoning>  ", "\n", " "]
)
def test_a_megabyte_is_quick(piece: str) -> None:
    text = "<reasoning>\n" + piece * (2**20 // len(piece))
    started = time.process_time()
    for one in (text, f"{text}\n</answer>\n"):
        _is_soft(one), _is_strict(one, False), _is_strict(one, True)
        _answer(one), _xml_count(one, False)
    assert time.process_time() - started < 10
