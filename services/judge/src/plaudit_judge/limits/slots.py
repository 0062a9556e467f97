"""Places for calls, given out fairly between the lanes, and between the requests of a lane."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plaudit.queue.model import LANES
from plaudit.schemas.common import Lane
from plaudit_judge.origin import Origin

_Place = asyncio.Future[None]


class LaneSlots:
    """At most `limit` at once.

    While both lanes wait, the one that holds fewer is next, so that each has at least half; a lane
    that waits alone gets all. Inside a lane the requests take turns, each in its own order.
    """

    def __init__(self, limit: int) -> None:
        self._num_free = limit
        self._held = dict.fromkeys(LANES, 0)
        self._waiting = {lane: _Turns() for lane in LANES}
        self._last: Lane = "eval"

    @asynccontextmanager
    async def slot(self, origin: Origin) -> AsyncIterator["Slot"]:
        """A request is known by its origin: the same object for all of its calls."""
        await self._take(origin)
        slot = Slot(self, origin.lane)
        try:
            yield slot
        finally:
            slot.release()

    async def _take(self, origin: Origin) -> None:
        lane = origin.lane
        if self._num_free > 0:  # and so nobody waits
            self._hold(lane)
            return
        place: _Place = asyncio.get_running_loop().create_future()
        self._waiting[lane].add(id(origin), place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._waiting[lane].discard(id(origin), place)
            else:
                self.give_back(lane)
            raise

    def _hold(self, lane: Lane) -> None:
        self._num_free -= 1
        self._held[lane] += 1
        self._last = lane

    def give_back(self, lane: Lane) -> None:
        self._num_free += 1
        self._held[lane] -= 1
        while waiting := [lane for lane in LANES if self._waiting[lane].any()]:
            lane = min(waiting, key=lambda lane: (self._held[lane], lane == self._last))
            place = self._waiting[lane].pop()
            if not place.cancelled():  # its caller may not have run since
                self._hold(lane)
                place.set_result(None)
                return


class Slot:
    def __init__(self, slots: LaneSlots, lane: Lane) -> None:
        self._slots = slots
        self._lane = lane
        self._is_held = True

    def release(self) -> None:
        """Also before the end of its `async with`."""
        if self._is_held:
            self._is_held = False
            self._slots.give_back(self._lane)


class _Turns:
    """Who waits in one lane, by request."""

    def __init__(self) -> None:
        self._places: OrderedDict[int, OrderedDict[_Place, None]] = OrderedDict()

    def any(self) -> bool:
        return bool(self._places)

    def add(self, request: int, place: _Place) -> None:
        self._places.setdefault(request, OrderedDict())[place] = None

    def discard(self, request: int, place: _Place) -> None:
        places = self._places.get(request, OrderedDict())
        places.pop(place, None)
        if not places:
            self._places.pop(request, None)

    def pop(self) -> _Place:
        """The oldest of the request whose turn it is; then it is that of the others."""
        request, places = next(iter(self._places.items()))
        place = next(iter(places))
        self._places.move_to_end(request)
        self.discard(request, place)
        return place
