"""The calls that one worker makes to its judge: bounded, and each for somebody."""

import asyncio
from collections.abc import Callable

from plaudit_judge.judges.base import Case, Judge, Opinion
from plaudit_judge.origin import Origin


class Calls:
    """Shared by all requests of a worker."""

    def __init__(self, judge: Judge, max_concurrency: int) -> None:
        self.judge = judge
        self.max_concurrency = max_concurrency
        self._slots = asyncio.Semaphore(max_concurrency)

    async def compare(
        self, case: Case, origin: Origin, time_left_s: Callable[[], float]
    ) -> Opinion:
        """`time_left_s` is asked once the call can start. Raises as `Judge.compare` does."""
        async with self.slot():
            return await self.judge.compare(case, time_left_s())

    def slot(self) -> asyncio.Semaphore:
        """Held while the judge is asked."""
        return self._slots
