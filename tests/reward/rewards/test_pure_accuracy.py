"""`pure_accuracy` is GRAIL's patterns, in linear time."""

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit_reward.rewards.pure_accuracy import (
    _opinion,
    chosen_option,
    first_answer,
)

PUBLISHED = re.compile(r"(?si)<answer>\s*([^<\n]+?)\s*</answer>")
PIECES = ["<answer>", "</answer>", "<ANSWER>", "\n", "x", "2", "<"]


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_agrees_with_the_pattern(text: str) -> None:
    match = PUBLISHED.search(text)
    assert first_answer(text) == (match[1] if match else None)


@pytest.mark.parametrize(
    ("label", "opinion"),
    [
        ("Increase", "increase"), ("no_change", "no_change"), ("No change.", "no_change"),
        ("unchanged", "no_change"), ("drop", "decrease"), ("perhaps", None), ("", None),
        ("up" * 99, None),
    ],
)  # fmt: skip
def test_opinions_have_aliases(label: str, opinion: str | None) -> None:
    assert _opinion(f"<opinion> {label} </opinion>") == opinion


@pytest.mark.parametrize("gold", [0, -1, True, None, "2", 2.0, [2]])
async def test_a_gold_index_that_is_none_is_missing(score: Any, group: Any, gold: Any) -> None:
    asked = group("<answer>2</answer>", gold_index=gold)
    assert await score("pure_accuracy", asked) == [
        "reference.gold_index and reference.opinion_direction are missing"
    ]


@pytest.mark.parametrize(
    "piece", ["<answer>", "<answer> ", "<answer>2\n", " ", "<opinion>", "option "]
)
def test_a_megabyte_is_quick(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    started = time.process_time()
    for one in (text, f"<answer>{text}</answer>", f"<opinion>{text}</opinion>"):
        chosen_option(one, allow_bare_number=True)
        _opinion(one)
    assert time.process_time() - started < 10
