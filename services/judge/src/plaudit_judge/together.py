"""Make many calls at the same time, but a bounded number; the first error ends all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


async def together(calls: Iterable[Callable[[], Awaitable[T]]], limit: int) -> list[T]:
    """The results in order. With a generator, each call is made up only when it can start.

    Callers catch plain exceptions, not groups of them.
    """
    results: dict[int, T] = {}
    waiting = enumerate(calls)

    async def run(index: int, call: Callable[[], Awaitable[T]]) -> None:
        results[index] = await call()
        for following, next_call in waiting:
            results[following] = await next_call()

    try:
        async with asyncio.TaskGroup() as group:
            for index, call in islice(waiting, limit):
                group.create_task(run(index, call))
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    return [results[index] for index in range(len(results))]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
