"""Who wants the same at the same time shares one task, and nobody's end is the others'."""

import asyncio

import pytest

from plaudit.errors import DeadlineExceeded, Rejected
from plaudit_judge.cache_flight import Flights


class Question:
    """Answered with the number of times it was asked, once `go` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.num_asked = self.num_cancelled = 0
        self.errors: list[Exception] = []

    async def ask(self) -> int:
        self.num_asked += 1
        number = self.num_asked
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.num_cancelled += 1
            raise
        if self.errors:
            raise self.errors.pop(0)
        return number


@pytest.fixture
def question() -> Question:
    return Question()


def callers(flights: Flights[int], question: Question, number: int) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(flights.join("k", question.ask)) for _ in range(number)]


async def test_all_share_what_the_first_asked_for(question: Question) -> None:
    tasks = callers(Flights(), question, 5)
    question.go.set()
    assert await asyncio.gather(*tasks) == [(1, False)] + [(1, True)] * 4
    assert question.num_asked == 1


async def test_who_comes_later_asks_anew(question: Question) -> None:
    flights: Flights[int] = Flights()
    question.go.set()
    assert [await flights.join("k", question.ask) for _ in range(2)] == [(1, False), (2, False)]


async def test_the_first_that_gives_up_does_not_end_it_for_the_others(question: Question) -> None:
    """The next one takes what it cost."""
    first, *others = callers(Flights(), question, 3)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    question.go.set()
    assert await asyncio.gather(*others) == [(1, False), (1, True)]
    assert first.cancelled()


async def test_it_ends_when_nobody_waits_any_more(question: Question) -> None:
    flights: Flights[int] = Flights()
    tasks = callers(flights, question, 3)
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    question.go.set()
    assert await flights.join("k", question.ask) == (2, False)
    assert question.num_cancelled == 1


async def test_a_refused_question_is_refused_for_all(question: Question) -> None:
    tasks = callers(Flights(), question, 3)
    question.errors = [Rejected("too long")]
    question.go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in found] == ["too long"] * 3
    assert question.num_asked == 1


async def test_when_the_time_of_the_first_is_up_the_others_ask_once_more(
    question: Question,
) -> None:
    tasks = callers(Flights(), question, 4)
    question.errors = [DeadlineExceeded("late")]
    question.go.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, DeadlineExceeded)
    assert sorted(others, key=str) == [(2, False), (2, True), (2, True)]
    assert question.num_asked == 2
