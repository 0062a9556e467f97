"""How many calls an endpoint takes at once, found out by what it refuses."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_DECREASE = 0.95
"""Times the limit, after a refusal. A small step leaves little of the endpoint idle."""


class AdaptiveConcurrency:
    """Additive increase, multiplicative decrease, between 1 and `maximum`.

    One more for each round of calls that were answered; less at most once for each round: a refusal
    of a call that began before the last decrease says nothing new.
    Source: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms", 1989.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._decreased_at_s = float("-inf")
        self._num_running = 0
        self._changed = asyncio.Event()

    @property
    def limit(self) -> int:
        return int(self._limit)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        while self._num_running >= self.limit:
            self._changed.clear()
            await self._changed.wait()
        self._num_running += 1
        try:
            yield
        finally:
            self._num_running -= 1
            self._changed.set()

    def answered(self) -> None:
        self._limit = min(self._limit + 1.0 / self._limit, float(self._maximum))

    def refused(self, started_s: float) -> None:
        """`started_s`: when that call began, by time.monotonic."""
        if started_s >= self._decreased_at_s:
            self._limit = max(1.0, _DECREASE * self._limit)
            self._decreased_at_s = time.monotonic()
