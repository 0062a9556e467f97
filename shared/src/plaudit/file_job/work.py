"""A bounded number of items at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from plaudit.errors import BudgetExceeded, PlauditError, Unauthorized

T = TypeVar("T")

ENDS_ALL = (Unauthorized, BudgetExceeded)
"""Say nothing of the item: the next one would fail in the same way."""


async def work_through(
    items: Iterator[T], concurrency: int, work: Callable[[T], Awaitable[None]]
) -> None:
    """Raises the first PlauditError that `work` raises, and stops then."""

    async def worker() -> None:
        for item in items:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except* PlauditError as errors:
        raise _first(errors) from None


def _first(errors: BaseExceptionGroup[PlauditError]) -> PlauditError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
