"""Single flight inside one worker: those who want the same at the same time share one task."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from plaudit.errors import Unavailable

T = TypeVar("T")


@dataclass
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    num_waiting: int = 0
    is_taken: bool = False
    """Somebody has the result, and with it what it cost."""


class Flights(Generic[T]):
    """A flight ends early only when nobody waits for it any more."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def join(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """The result, and whether somebody else has it, too. Raises what `start` raises.

        When the one who started it was not answered in time, the others start anew: their time
        may not be up.
        """
        while True:
            flight = self._flights.get(key)
            joins = flight is not None and not flight.task.done()
            if flight is None or not joins:
                flight = self._start(key, start)
            try:
                result = await self._wait(key, flight)
            except Unavailable:
                if joins:
                    continue
                raise
            is_shared, flight.is_taken = flight.is_taken, True
            return result, is_shared

    def _start(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> _Flight[T]:
        flight = _Flight(asyncio.create_task(start()))
        flight.task.add_done_callback(partial(self._landed, key, flight))
        self._flights[key] = flight
        return flight

    async def _wait(self, key: str, flight: _Flight[T]) -> T:
        flight.num_waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.num_waiting -= 1
            if flight.num_waiting == 0:
                flight.task.cancel()
                self._forget(key, flight)

    def _landed(self, key: str, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # why: nobody may be waiting for it any more

    def _forget(self, key: str, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
