"""Slots for calls: fair between lanes and between requests, and none is ever lost."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.queue.model import LANES
from plaudit.schemas.common import Lane
from plaudit_judge.limits.slots import LaneSlots
from plaudit_judge.origin import Origin


@dataclass
class Caller:
    """Makes one call: holds its slot until it is told to end."""

    request: Origin
    end: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self, slots: LaneSlots, held: list["Caller"]) -> None:
        self.task = asyncio.create_task(self._call(slots, held))

    async def _call(self, slots: LaneSlots, held: list["Caller"]) -> None:
        async with slots.slot(self.request):
            held.append(self)
            try:
                await self.end.wait()
            finally:
                held.remove(self)


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def lanes_of(callers: Sequence[Caller]) -> list[Lane]:
    return [caller.request.lane for caller in callers]


REQUESTS = [Origin("pairwise", lane) for lane in LANES for _ in range(3)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, len(REQUESTS) - 1)),
        st.tuples(
            st.sampled_from(["end", "cancel waiting", "cancel held", "cancel most"]),
            st.integers(0, 50),
        ),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(st.integers(1, 5), STEPS)
def test_all_slots_are_in_use_while_anybody_waits_and_never_more(
    limit: int, steps: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        slots, held, waiting = LaneSlots(limit), list[Caller](), list[Caller]()
        for step, number in steps:
            if step == "call":
                waiting.append(Caller(REQUESTS[number]))
                waiting[-1].start(slots, held)
            elif step == "end" and held:
                held[number % len(held)].end.set()
            elif step == "cancel held" and held:
                held[number % len(held)].task.cancel()
            elif step == "cancel most":
                for caller in [*waiting, *held][number % 3 :]:
                    caller.task.cancel()
            elif step == "cancel waiting" and waiting:
                waiting.pop(number % len(waiting)).task.cancel()
            await settle()
            waiting = [one for one in waiting if one not in held and not one.task.done()]
            assert len(held) == limit or (len(held) < limit and not waiting)
        for caller in [*held, *waiting]:
            caller.end.set()
        await asyncio.gather(*(caller.task for caller in [*held, *waiting]))

    asyncio.run(play())


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.sampled_from(LANES), st.integers(0, 2**32))
def test_of_two_lanes_that_wait_each_soon_has_half_whatever_the_other_does(
    limit: int, first: Lane, seed: int
) -> None:
    """One lane had all slots, and calls that end do so in any order."""

    async def play() -> None:
        slots, held, chance = LaneSlots(limit), list[Caller](), Random(seed)
        other: Lane = "eval" if first == "train" else "train"
        for lane in [first] * 60 + [other] * 60:
            Caller(Origin("pairwise", lane)).start(slots, held)
        await settle()
        assert lanes_of(held) == [first] * limit
        while lanes_of(held).count(other) < limit // 2:
            held[chance.randrange(limit)].end.set()
            await settle()
            assert held[-1].request.lane == other, "the lane that holds fewer is next"
        for _ in range(20):
            held[chance.randrange(limit)].end.set()
            await settle()
            counts = [lanes_of(held).count(lane) for lane in LANES]
            assert min(counts) >= limit // 2
        callers = asyncio.all_tasks() - {asyncio.current_task()}
        for task in callers:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    asyncio.run(play())


async def order_of(requests: Sequence[Origin]) -> list[Origin]:
    """In which they get the one slot that there is."""
    slots, held, got = LaneSlots(1), list[Caller](), list[Origin]()
    for request in requests:
        Caller(request).start(slots, held)
    for _ in requests:
        await settle()
        got.append(held[0].request)
        held[0].end.set()
    return got


async def test_one_slot_goes_to_the_lanes_in_turn() -> None:
    train, evaluation = Origin("pairwise"), Origin("pairwise", "eval")
    got = await order_of([evaluation] * 5 + [train] * 5)
    assert got == [evaluation, train] * 5


async def test_a_small_request_does_not_wait_for_a_large_one_of_its_lane() -> None:
    large, small = Origin("pairwise"), Origin("pairwise")  # equal, and two requests all the same
    got = await order_of([large] * 10 + [small] * 2)
    assert [request is small for request in got[:5]] == [False, False, True, False, True]


async def test_the_calls_of_a_request_go_in_the_order_in_which_they_came() -> None:
    slots, held, request = LaneSlots(1), list[Caller](), Origin("tournament")
    callers = [Caller(request) for _ in range(5)]
    for caller in callers:
        caller.start(slots, held)
    for caller in callers:
        await settle()
        assert held == [caller]
        caller.end.set()
    await caller.task


async def test_a_call_that_left_costs_its_request_no_turn() -> None:
    slots, held = LaneSlots(1), list[Caller]()
    request, other = Origin("tournament"), Origin("tournament")
    holder, left, stays, third = (Caller(one) for one in (other, request, request, other))
    for caller in (holder, left, stays, third):
        caller.start(slots, held)
    await settle()
    left.task.cancel()
    await settle()
    for caller in (holder, stays, third):
        assert held == [caller]
        caller.end.set()
        await settle()


async def test_a_slot_given_to_one_who_just_left_goes_on_to_the_next() -> None:
    slots, held = LaneSlots(1), list[Caller]()
    callers = [Caller(Origin("pairwise")) for _ in range(3)]
    for caller in callers:
        caller.start(slots, held)
    await settle()
    callers[0].end.set()
    while not callers[0].task.done():
        await asyncio.sleep(0)
    callers[1].task.cancel()  # it has been given the slot, and has not run since
    with suppress(asyncio.CancelledError):
        await callers[1].task
    await settle()
    assert held == [callers[2]]
    callers[2].end.set()
    await callers[2].task


async def test_a_slot_may_be_given_back_early_and_only_once() -> None:
    slots = LaneSlots(1)
    async with slots.slot(Origin("pairwise")) as slot:
        slot.release()
        slot.release()
        async with slots.slot(Origin("pairwise")):
            async with asyncio.timeout(0.01) as limit:
                with suppress(asyncio.CancelledError):
                    async with slots.slot(Origin("pairwise")):
                        raise AssertionError("two slots where there is one")
    assert limit.expired()
