import asyncio
from collections.abc import Sequence

import pytest

from plaudit.queue.batch import Batcher


def recording(batches: list[list[int]]) -> Batcher[int, int]:
    async def flush(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        await asyncio.sleep(0.01)
        if -1 in items:
            raise ValueError("spoiled")
        return [item * 10 for item in items]

    return Batcher(flush, lambda item: item, max_items=50, max_bytes=100)


async def test_calls_made_together_travel_together() -> None:
    batches: list[list[int]] = []
    batcher = recording(batches)
    answers = await asyncio.gather(*(batcher.call(1) for _ in range(120)))
    assert answers == [10] * 120
    assert [len(batch) for batch in batches] == [50, 50, 20]


async def test_calls_made_meanwhile_travel_next() -> None:
    batches: list[list[int]] = []
    batcher = recording(batches)
    first = asyncio.create_task(batcher.call(1))
    await asyncio.sleep(0.005)
    assert await asyncio.gather(first, *(batcher.call(2) for _ in range(3))) == [10, 20, 20, 20]
    assert batches == [[1], [2, 2, 2]]


async def test_a_batch_is_bounded_in_bytes_yet_takes_one_of_any_size() -> None:
    batches: list[list[int]] = []
    batcher = recording(batches)
    await asyncio.gather(*(batcher.call(size) for size in (60, 30, 20, 500, 1)))
    assert batches == [[60, 30], [20], [500], [1]]


async def test_all_callers_of_a_batch_hear_of_its_error_and_the_next_goes_on() -> None:
    batcher = recording([])
    calls = [batcher.call(-1), batcher.call(1)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError]
    assert await batcher.call(2) == 20


async def test_a_caller_that_left_does_not_disturb_the_others() -> None:
    batcher = recording([])
    left = asyncio.create_task(batcher.call(1))
    stayed = asyncio.create_task(batcher.call(2))
    await asyncio.sleep(0.005)
    left.cancel()
    assert await stayed == 20
    with pytest.raises(asyncio.CancelledError):
        await left
