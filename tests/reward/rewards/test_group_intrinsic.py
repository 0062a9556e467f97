"""`group_intrinsic`: unlike its right group-mates, by embeddings."""

import math
from typing import Any

import pytest

from plaudit.errors import Unavailable
from plaudit_reward.embedding.embedders import Embedders
from plaudit_reward.reward import Missing, Score
from plaudit_reward.rewards.group_intrinsic import group_intrinsic
from plaudit_reward.scoring import GroupContext, Resources


def thought(text: str, answer: str = "4") -> str:
    return rf"<reasoning>{text}</reasoning> \boxed{{{answer}}}"


ADD, COUNT = thought("I add."), thought("Count them!")


async def test_the_mean_of_the_others_decides(score: Any, group: Any) -> None:
    """Of three of one sort and one of another, the mean is at 1/sqrt(5) to that other."""
    asked = group(ADD, ADD, ADD, COUNT, COUNT, answer="4")
    add, _, _, count, _ = await score("group_intrinsic", asked)
    assert add == pytest.approx(1 + 3 * (1 - 1 / math.sqrt(2)), abs=1e-5)
    assert count == pytest.approx(1 + 3 * (1 - 1 / math.sqrt(10)), abs=1e-5)


async def test_wrong_ones_have_no_say(score: Any, group: Any) -> None:
    right = await score("group_intrinsic", group(ADD, COUNT, answer="4"))
    asked = group(ADD, thought("I add.", "5"), COUNT, "no idea", answer="4")
    assert await score("group_intrinsic", asked) == [right[0], 0.0, right[1], 0.0]


async def test_base_and_scale_are_parameters(score: Any, group: Any) -> None:
    asked = group(ADD, COUNT, "5", answer="4")
    assert await score("group_intrinsic", asked, base=0.5, scale=0.0) == [0.5, 0.5, 0.0]


async def test_what_is_not_reasoning_counts_only_where_it_is_asked_for(
    score: Any, group: Any
) -> None:
    asked = group("So! " + ADD, "Well then: " + ADD, answer="4")
    assert await score("group_intrinsic", asked) == pytest.approx([1.0, 1.0])
    assert min(await score("group_intrinsic", asked, span="text")) > 1.2


async def test_reasoning_is_found_in_think_or_is_all_of_the_text(score: Any, group: Any) -> None:
    thinks = (r"<think>I add.</think> so \boxed{4}", r"I add.</think> hence \boxed{4}")
    assert await score("group_intrinsic", group(ADD, *thinks, answer="4")) == pytest.approx([1] * 3)
    plain = group(r"I add: \boxed{4}", r"Count them \boxed{4}", answer="4")
    assert min(await score("group_intrinsic", plain)) > 2


async def test_accuracy_that_is_unknown_stays_so(score: Any, group: Any) -> None:
    hostile = r"\boxed{10^{10^{10}}}"
    *others, unknown = await score("group_intrinsic", group(ADD, "5", hostile, answer="4"))
    assert others == [1.0, 0.0]
    assert "exponent" in unknown
    values = await score("group_intrinsic", group(ADD, COUNT))
    assert values == ["reference.answer is missing"] * 2


async def test_an_unknown_embedder_is_null_with_those_there_are(score: Any, group: Any) -> None:
    asked = group(ADD, COUNT, "5", answer="4")
    first, second, wrong = await score("group_intrinsic", asked, embedder="nobody")
    assert first == second
    assert "there are hashed" in first
    assert wrong == 0.0


class Broken:
    async def embed(self, name: str, texts: list[str], *, fixed: bool) -> Any:
        raise Unavailable("the endpoint is away")


async def test_an_embedder_that_fails_is_null_and_retryable(
    group: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedders, "embed", Broken.embed)
    embedders = Embedders({}, 0)
    verdicts: list[Score] = [1.0, 0.0, 1.0]

    class Context(GroupContext):
        async def score(self, *_: object) -> list[Score]:
            return verdicts

    context = Context(group("a", "b", "c"), Resources(others={Embedders: embedders}))
    values = await group_intrinsic(context.group, group_intrinsic.params(), context)
    away = Missing("the endpoint is away", retryable=True)
    assert values == [away, 0.0, away]
