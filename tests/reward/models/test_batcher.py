"""Requests of many callers become batches, computed beside the event loop."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from plaudit_reward.models.batcher import Batcher
from plaudit_reward.reward import Missing


@dataclass(frozen=True)
class Text:
    token_ids: Sequence[int]


@dataclass
class Summing:
    """Each text's value is the sum of its tokens; token 13 breaks the batch that it is in."""

    name: str = "summing"
    max_batch_tokens: int = 64
    pause_s: float = 0.0
    batches: list[list[int]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def compute(self, batch: Sequence[Text]) -> list[int]:
        self.threads.add(threading.get_ident())
        self.batches.append([len(one.token_ids) for one in batch])
        time.sleep(self.pause_s)
        if any(13 in one.token_ids for one in batch):
            raise RuntimeError("out of luck")
        return [sum(one.token_ids) for one in batch]


def texts(*lengths: int) -> list[Text]:
    return [Text([1] * length) for length in lengths]


async def test_answers_come_in_the_order_of_the_texts() -> None:
    async with Batcher("cpu") as batcher:
        assert await batcher.compute(Summing(), texts(30, 1, 20, 2, 31)) == [30, 1, 20, 2, 31]


async def test_groups_that_wait_together_are_computed_together() -> None:
    model = Summing()
    async with Batcher("cpu") as batcher:
        groups = [batcher.compute(model, texts(*([1 + i % 3] * 4))) for i in range(6)]
        assert await asyncio.gather(*groups) == [[1 + i % 3] * 4 for i in range(6)]
    # 24 texts of 1 to 3 tokens: one batch of 21 and what is over the budget.
    assert [len(batch) for batch in model.batches] == [21, 3]
    assert model.batches[0] == sorted(model.batches[0])


async def test_what_comes_meanwhile_is_the_next_batch() -> None:
    model = Summing(pause_s=0.1)
    async with Batcher("cpu") as batcher:
        first = asyncio.create_task(batcher.compute(model, texts(1)))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, *(batcher.compute(model, texts(2)) for _ in range(5)))
    assert model.batches == [[1], [2] * 5]


async def test_models_do_not_share_batches_but_the_thread() -> None:
    one, other = Summing("one"), Summing("other")
    async with Batcher("cpu") as batcher:
        await asyncio.gather(batcher.compute(one, texts(1)), batcher.compute(other, texts(2)))
        assert await batcher.call(threading.get_ident) in one.threads
    assert one.batches == [[1]] and other.batches == [[2]]
    assert one.threads == other.threads and threading.get_ident() not in one.threads


async def test_the_event_loop_goes_on_meanwhile() -> None:
    async with Batcher("cpu") as batcher:
        computing = asyncio.create_task(batcher.compute(Summing(pause_s=0.3), texts(1)))
        num_ticks = 0
        while not computing.done():
            await asyncio.sleep(0.005)
            num_ticks += 1
    assert num_ticks > 10


async def test_a_text_that_breaks_the_model_costs_its_own_value_only() -> None:
    model = Summing()
    async with Batcher("cpu") as batcher:
        values = await batcher.compute(model, [*texts(1, 2), Text([13]), *texts(3)])
    assert [value for value in values if not isinstance(value, Missing)] == [1, 2, 3]
    assert values[2].reason == "the model failed: RuntimeError: out of luck"


async def test_texts_that_nobody_waits_for_are_not_computed() -> None:
    model = Summing(pause_s=0.1)
    async with Batcher("cpu") as batcher:
        first = asyncio.create_task(batcher.compute(model, texts(1)))
        await asyncio.sleep(0.02)
        gone = asyncio.create_task(batcher.compute(model, texts(5, 5)))
        stays = asyncio.create_task(batcher.compute(model, texts(2)))
        await asyncio.sleep(0.02)
        gone.cancel()
        assert (await first, await stays) == ([1], [2])
    assert model.batches == [[1], [2]]


async def test_the_queue_is_bounded_and_those_beyond_it_wait() -> None:
    model = Summing()
    async with Batcher("cpu", max_waiting=4) as batcher:
        values = await asyncio.gather(*(batcher.compute(model, texts(1, 1, 1)) for _ in range(5)))
    assert values == [[1, 1, 1]] * 5
    assert max(map(len, model.batches)) <= 4


@pytest.mark.parametrize("pause_s", [0.0, 2.0])
async def test_closing_does_not_wait_for_what_is_being_computed(pause_s: float) -> None:
    batcher = Batcher("cpu")
    async with batcher:
        computing = asyncio.create_task(batcher.compute(Summing(pause_s=pause_s), texts(1)))
        await asyncio.sleep(0.02)
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 1.0
    computing.cancel()
