"""`cosine` between its ends, at them, and beyond."""

import time
from itertools import pairwise
from typing import Any

import pytest

FOUR = {"answer": "4"}
LENGTHS = [0, 100, 400, 700, 983]


@pytest.mark.parametrize(("text", "rises"), [("4", False), ("5", True)])
async def test_short_is_better_when_right_and_worse_when_wrong(
    score: Any, group: Any, text: str, rises: bool
) -> None:
    asked = group(*[text] * 5, tokens=LENGTHS, **FOUR)
    values = await score("cosine", asked, max_length=1000)
    assert all((left < right) == rises for left, right in pairwise(values))


async def test_beyond_the_end_nothing_changes(score: Any, group: Any) -> None:
    asked = group("4", "4", "5", "5", tokens=[1000, 2000, 1000, 2000], **FOUR)
    assert await score("cosine", asked, max_length=1000, exceed=None) == [1.0, 1.0, 0.0, 0.0]


async def test_the_margin_is_where_exceeding_starts(score: Any, group: Any) -> None:
    asked = group("4", "4", tokens=[94, 95], **FOUR)
    below, at = await score("cosine", asked, max_length=100, margin=5, exceed=-3.0)
    assert (below > 1.0, at) == (True, -3.0)


async def test_the_unit_is_the_one_asked_for(score: Any, group: Any) -> None:
    asked = group("It is 4", tokens=[0], **FOUR)
    assert await score("cosine", asked, max_length=14, margin=0) == [2.0]
    assert await score("cosine", asked, max_length=14, margin=0, unit="characters") == [
        pytest.approx(1.5)
    ]


async def test_null_where_accuracy_is_null_unless_it_exceeds(score: Any, group: Any) -> None:
    hostile = r"\boxed{10^{10^{10}}}"
    asked = group("4", hostile, hostile, tokens=[0, 10, 1000], **FOUR)
    right, undecided, exceeding = await score("cosine", asked, max_length=1000)
    assert (right, exceeding) == (2.0, -10.0)
    assert "exponent" in undecided


async def test_a_megabyte_exceeds_at_once(score: Any, group: Any) -> None:
    started = time.process_time()
    assert await score("cosine", group("{" * 2**20, **FOUR), unit="characters") == [-10.0]
    assert time.process_time() - started < 10
