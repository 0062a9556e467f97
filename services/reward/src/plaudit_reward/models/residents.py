"""Which models are in memory: loaded when they are first asked for, the least used let go."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from plaudit.errors import PlauditError, Unavailable
from plaudit.telemetry import get_logger
from plaudit_reward.models.metrics import LOAD_SECONDS, RESIDENT

RETRY_LOAD_S = 30.0
"""A model that could not be loaded is not tried again for so long."""

M = TypeVar("M")

log = get_logger(__name__)


@dataclass
class _Seat(Generic[M]):
    loading: asyncio.Task[M]
    num_users: int = 0

    @property
    def idle(self) -> bool:
        return self.num_users == 0 and self.loading.done()


@dataclass
class Residents(Generic[M]):
    """At most `max_resident` models. `load` is given a name; models are let go by dropping them."""

    load: Callable[[str], Awaitable[M]]
    max_resident: int
    _seats: OrderedDict[str, _Seat[M]] = field(default_factory=OrderedDict)
    _failures: dict[str, tuple[float, PlauditError]] = field(default_factory=dict)
    _freed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def using(self, name: str) -> AsyncIterator[M]:
        """The model, kept while it is used. Waits for a place; raises PlauditError."""
        seat = await self._sit(name)
        try:
            # Shielded: others wait for the same load.
            yield await asyncio.shield(seat.loading)
        finally:
            seat.num_users -= 1
            async with self._freed:
                self._freed.notify_all()

    async def aclose(self) -> None:
        for seat in self._seats.values():
            seat.loading.cancel()
        await asyncio.gather(*(s.loading for s in self._seats.values()), return_exceptions=True)
        self._seats.clear()

    async def _sit(self, name: str) -> _Seat[M]:
        async with self._freed:
            self._raise_if_just_failed(name)
            await self._freed.wait_for(lambda: name in self._seats or self._make_room())
            if name not in self._seats:
                self._seats[name] = _Seat(asyncio.create_task(self._load(name)))
            self._seats.move_to_end(name)
            seat = self._seats[name]
            seat.num_users += 1
            return seat

    def _make_room(self) -> bool:
        """Lets the model go that has not been used for longest, if it must be and one can."""
        if len(self._seats) < self.max_resident:
            return True
        idle = next((name for name, seat in self._seats.items() if seat.idle), None)
        if idle is None:
            return False
        del self._seats[idle]
        RESIDENT.labels(idle).set(0)
        log.info("model_let_go", model=idle)
        return True

    async def _load(self, name: str) -> M:
        started_s = time.monotonic()
        try:
            model = await self.load(name)
        except PlauditError as error:
            self._note_failure(name, error)
            raise
        except Exception as error:  # why: memory runs short, and transformers raises what it likes
            what = f"{type(error).__name__}: {str(error)[:300]}"
            failure = Unavailable(f"model {name!r} could not be loaded: {what}")
            self._note_failure(name, failure)
            raise failure from error
        finally:
            async with self._freed:
                self._freed.notify_all()
        seconds = time.monotonic() - started_s
        LOAD_SECONDS.labels(name).set(seconds)
        RESIDENT.labels(name).set(1)
        log.info("model_loaded", model=name, seconds=round(seconds, 2))
        return model

    def _note_failure(self, name: str, error: PlauditError) -> None:
        log.error("model_not_loaded", model=name, reason=str(error))
        self._failures[name] = time.monotonic(), error
        del self._seats[name]

    def _raise_if_just_failed(self, name: str) -> None:
        if name in self._failures:
            failed_s, error = self._failures[name]
            if time.monotonic() - failed_s < RETRY_LOAD_S:
                # A new one: an error that is raised again and again keeps all its tracebacks.
                raise type(error)(error.message, fix=error.fix)
            del self._failures[name]
