"""`completion_intrinsic`: unlike the right completions so far, by embeddings."""

import math
from typing import Any

import pytest

from plaudit.schemas.common import Message
from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.embedding.embedders import Embedders
from plaudit_reward.embedding.spec import PolicySpec


def asked(group_id: str, *texts: str, prompt: str = "2 + 2?") -> RewardGroup:
    """Completions that all answer 4, right unless the text says otherwise."""
    completions = [
        Answer(text=text if "boxed" in text else rf"<reasoning>{text}</reasoning> \boxed{{4}}")
        for text in texts
    ]
    messages = [Message(role="user", content=prompt)]
    reference = {"answer": "4"}
    return RewardGroup(
        group_id=group_id, prompt=messages, completions=completions, reference=reference
    )


def bonus(cosine: float) -> Any:
    return pytest.approx(1 + 3 * (1 - cosine), abs=1e-4)


ADD, COUNT = "I add.", "Count them!"


async def test_group_mates_count_for_later_groups_only(score: Any) -> None:
    assert await score("completion_intrinsic", asked("1", ADD, COUNT)) == [1.0, 1.0]
    assert await score("completion_intrinsic", asked("2", ADD)) == [bonus(1 / math.sqrt(2))]


async def test_the_nearest_decide(score: Any) -> None:
    await score("completion_intrinsic", asked("1", *[ADD] * 3, *[COUNT] * 12))
    three = await score("completion_intrinsic", asked("2", ADD), num_neighbours=3)
    assert three == [bonus(1.0)]
    # Ten of four of one sort and twelve of another are those four and six more.
    assert await score("completion_intrinsic", asked("3", ADD)) == [bonus(4 / math.sqrt(16 + 36))]


async def test_what_is_asked_again_gets_the_same_and_is_there_once(score: Any) -> None:
    """As when a worker died between appending and answering."""
    await score("completion_intrinsic", asked("1", ADD))
    again = [await score("completion_intrinsic", asked("2", COUNT, ADD)) for _ in range(3)]
    assert again == [[bonus(0.0), bonus(1.0)]] * 3
    # One ADD of the first group and each one of the second: not three.
    assert await score("completion_intrinsic", asked("3", COUNT)) == [bonus(1 / math.sqrt(5))]


async def test_wrong_ones_get_nothing_and_are_not_kept(score: Any) -> None:
    wrong = r"<reasoning>I add.</reasoning> \boxed{5}"
    assert await score("completion_intrinsic", asked("1", wrong, COUNT)) == [0.0, 1.0]
    assert await score("completion_intrinsic", asked("2", wrong, ADD)) == [0.0, bonus(0.0)]


async def test_no_reasoning_gets_the_base_and_is_not_kept(score: Any) -> None:
    silent = r"<reasoning></reasoning> \boxed{4}"
    await score("completion_intrinsic", asked("1", ADD))
    assert await score("completion_intrinsic", asked("2", silent, COUNT)) == [1.0, bonus(0.0)]
    assert await score("completion_intrinsic", asked("3", ADD)) == [bonus(1 / math.sqrt(2))]


async def test_prompts_may_have_their_own_neighbours(score: Any) -> None:
    await score("completion_intrinsic", asked("1", ADD))
    other = asked("2", COUNT, prompt="1 + 3?")
    assert await score("completion_intrinsic", other, per_prompt=True) == [1.0]
    assert await score("completion_intrinsic", asked("3", ADD), per_prompt=True) == [bonus(1.0)]


async def test_archives_are_apart_by_name(score: Any) -> None:
    await score("completion_intrinsic", asked("1", ADD), archive="run-1")
    assert await score("completion_intrinsic", asked("2", COUNT), archive="run-2") == [1.0]
    [value] = await score("completion_intrinsic", asked("3", COUNT), archive="run-1")
    assert value == bonus(0.0)


async def test_unknown_accuracy_and_embedders_are_null(score: Any, group: Any) -> None:
    hostile = r"\boxed{10^{10^{10}}}"
    right, unknown = await score("completion_intrinsic", asked("1", ADD, hostile))
    assert right == 1.0
    assert "exponent" in unknown
    assert await score("completion_intrinsic", group("4")) == ["reference.answer is missing"]
    [value] = await score("completion_intrinsic", asked("1", ADD), embedder="nobody")
    assert "there are hashed" in value


async def test_an_archive_wants_an_embedder_whose_weights_stay(
    score: Any, others: dict[type, object]
) -> None:
    spec = PolicySpec(kind="policy", base_url="http://127.0.0.1:1/v1", follow=True)
    others[Embedders] = Embedders({"hidden": spec}, 0)
    [value] = await score("completion_intrinsic", asked("1", ADD), embedder="hidden")
    assert "its weights follow the policy (follow = true)" in value
