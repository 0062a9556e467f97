"""The length that a prompt asks for, and what is null without it."""

from typing import Any

import pytest

BOTH = pytest.mark.parametrize("name", ["lcpo_exact", "lcpo_max"])


@BOTH
@pytest.mark.parametrize("asked_for", [0, -512, "512", 512.5, True, [512]])
async def test_a_length_that_is_none_is_null(
    score: Any, group: Any, name: str, asked_for: Any
) -> None:
    asked = group("4", tokens=[10], answer="4", num_tokens=asked_for)
    reason = "reference.num_tokens is not a positive whole number"
    assert await score(name, asked, num_tokens=100) == [reason]


@BOTH
async def test_the_rows_own_length_comes_first(score: Any, group: Any, name: str) -> None:
    own, fixed = (
        group("4", tokens=[9], answer="4", num_tokens=10),
        group("4", tokens=[9], answer="4"),
    )
    assert await score(name, own, num_tokens=500) == await score(name, fixed, num_tokens=10)
    assert await score(name, fixed) == ["reference.num_tokens is missing"]


@BOTH
async def test_null_where_accuracy_is_null(score: Any, group: Any, name: str) -> None:
    asked = group(r"\boxed{10^{10^{10}}}", "4", tokens=[10, 10], answer="4", num_tokens=10)
    undecided, right = await score(name, asked)
    assert "exponent" in undecided
    assert isinstance(right, float)


async def test_exact_wants_the_length_and_max_a_shorter_one(score: Any, group: Any) -> None:
    asked = group("4", "4", "4", tokens=[500, 1000, 1500], answer="4", num_tokens=1000)
    short, exact, long = await score("lcpo_exact", asked)
    assert exact > short == long
    short, exact, long = await score("lcpo_max", asked)
    assert short > exact > long
