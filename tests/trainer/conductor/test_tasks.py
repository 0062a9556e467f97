"""Loops beside a main task."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from plaudit.errors import Stalled
from plaudit_trainer.conductor.tasks import run_beside

Loop = Callable[[], Coroutine[Any, Any, None]]


async def for_ever() -> None:
    await asyncio.sleep(3600)


def losing_cancellations(number: int, ended: list[str]) -> Loop:
    """As redis-py does now and then."""

    async def loop() -> None:
        for _ in range(number):
            try:
                await for_ever()
            except asyncio.CancelledError:
                continue
        try:
            await for_ever()
        finally:
            ended.append("loop")

    return loop


async def briefly() -> None:
    await asyncio.sleep(0.05)


async def stalls() -> None:
    await asyncio.sleep(0.05)
    raise Stalled("nothing moves")


async def stalls_inside_a_group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stalls())


async def test_a_loop_that_loses_cancellations_is_ended_with_main():
    ended: list[str] = []
    async with asyncio.timeout(5):
        await run_beside(briefly, [losing_cancellations(3, ended)])
    assert ended == ["loop"]


async def test_a_failure_reaches_the_caller_past_loops_that_lose_cancellations():
    ended: list[str] = []
    async with asyncio.timeout(5):
        with pytest.raises(Stalled):
            await run_beside(for_ever, [stalls, losing_cancellations(3, ended)])
    assert ended == ["loop"]


async def test_loops_end_although_the_one_who_ends_them_is_cancelled_again_and_again():
    ended: list[str] = []
    outer = asyncio.create_task(run_beside(for_ever, [losing_cancellations(3, ended)]))
    async with asyncio.timeout(5):
        while not outer.done():
            await asyncio.sleep(0.02)
            outer.cancel()
    assert ended == ["loop"]


async def test_the_first_error_is_raised_without_the_groups_around_it():
    with pytest.raises(Stalled, match="nothing moves"):
        await run_beside(for_ever, [stalls_inside_a_group])


async def test_a_loop_that_returns_ends_nothing():
    done: list[str] = []

    async def main() -> None:
        await asyncio.sleep(0.1)
        done.append("main")

    await run_beside(main, [briefly])
    assert done == ["main"]
