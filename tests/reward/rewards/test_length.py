"""`length` at its edges."""

from typing import Any

import pytest

FOUR = {"answer": "4"}


async def test_statistics_are_those_of_the_group(score: Any, group: Any) -> None:
    alone = await score("length", group("4", "4", tokens=[10, 20], **FOUR))
    assert alone == [0.5, -0.5]


async def test_null_exactly_where_accuracy_is_null(score: Any, group: Any) -> None:
    hostile = r"\boxed{10^{10^{10}}}"
    values = await score("length", group("4", hostile, "5", tokens=[10, 20, 30], **FOUR))
    assert (values[0], values[2]) == (0.5, -0.5)
    assert "exponent" in values[1]


async def test_all_equal_and_none_correct(score: Any, group: Any) -> None:
    assert await score("length", group("5", "5", tokens=[7, 7], **FOUR)) == [0.0, 0.0]
    assert await score("length", group("5", "6", tokens=[7, 8], **FOUR)) == [0.0, -0.5]


@pytest.mark.parametrize("unit", ["tokens", "characters"])
async def test_the_unit_is_the_one_asked_for(score: Any, group: Any, unit: str) -> None:
    values = await score("length", group("4", "It is 4", tokens=[9, 3], **FOUR), unit=unit)
    assert values == ([-0.5, 0.5] if unit == "tokens" else [0.5, -0.5])
