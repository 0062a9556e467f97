"""Whose lengths `efficient` compares with."""

from typing import Any

import pytest

from plaudit.schemas.reward import Answer, RewardGroup

FOUR = {"answer": "4"}


async def test_wrong_answers_do_not_move_the_mean(score: Any, group: Any) -> None:
    few = await score("efficient", group("4", "4", tokens=[10, 20], **FOUR))
    many = await score("efficient", group("4", "4", "5", tokens=[10, 20, 9000], **FOUR))
    assert many == [*few, 0.0]


async def test_all_answers_move_it_when_asked(score: Any, group: Any) -> None:
    asked = group("4", "4", "5", tokens=[10, 20, 9000], **FOUR)
    first, second, wrong = await score("efficient", asked, statistics="all")
    assert wrong == 0.0
    assert first > second > 0.96


async def test_an_answer_that_was_cut_off_is_wrong(score: Any) -> None:
    completions = [
        Answer(text="4", num_tokens=10),
        Answer(text="4", num_tokens=500, finish_reason="length"),
    ]
    asked = RewardGroup(group_id="g", prompt=[], completions=completions, reference=FOUR)
    assert await score("efficient", asked) == [0.95, 0.0]
    kept = await score("efficient", asked, require_stop=False)
    assert kept[0] > 0.95 > kept[1] > 0.9


async def test_null_where_accuracy_is_null_and_not_in_the_mean(score: Any, group: Any) -> None:
    hostile = r"\boxed{10^{10^{10}}}"
    asked = group("4", hostile, "4", tokens=[10, 9000, 20], **FOUR)
    first, undecided, last = await score("efficient", asked)
    assert [first, last] == await score("efficient", group("4", "4", tokens=[10, 20], **FOUR))
    assert "exponent" in undecided


@pytest.mark.parametrize("statistics", ["correct", "all"])
async def test_the_longest_group_does_not_overflow(score: Any, group: Any, statistics: str) -> None:
    asked = group(*["4"] * 256, tokens=[*[1] * 255, 10**12], **FOUR)
    *short, long = await score("efficient", asked, alpha=1.0, statistics=statistics)
    assert short == [pytest.approx(0.516, abs=1e-3)] * 255
    assert long == pytest.approx(0.0, abs=1e-6)
