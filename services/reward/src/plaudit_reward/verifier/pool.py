"""A few verifier children, each killed when one question takes too long or too much memory."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from plaudit.errors import PlauditError
from plaudit.telemetry import get_logger
from plaudit_reward.child_process import Broken, ChildLimits, next_line
from plaudit_reward.metrics import VERIFIER_KILLS
from plaudit_reward.reward import Missing, Score
from plaudit_reward.verifier.batch import Asked, Batch, Question
from plaudit_reward.verifier.noted import MAX_BATCH
from plaudit_reward.verifier.nursery import Nursery, VerifierChild

MAX_ATTEMPTS = 2
MAX_WALL = 5

log = get_logger(__name__)


@dataclass(frozen=True)
class VerifierLimits:
    timeout_s: float = 3.0
    """CPU time for one answer; `MAX_WALL` times as long by the clock."""
    memory_bytes: int = 768 * 2**20
    """Resident, of one child."""
    max_answers: int = 20_000
    """A child is replaced after so many, since sympy's caches only grow."""


@dataclass
class _Seat:
    """A place for one child. `num_answers` are those of the child that sits there now."""

    child: VerifierChild | None = None
    num_answers: int = 0


class VerifierPool:
    """`async with VerifierPool(2) as pool: await pool.ask(gold, texts, "any")`."""

    def __init__(self, num_children: int, limits: VerifierLimits | None = None) -> None:
        self._limits = limits or VerifierLimits()
        self._num_children = num_children
        self._nursery = Nursery()
        self._waiting: asyncio.Queue[Question] = asyncio.Queue()
        self._seats: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._seats = [asyncio.create_task(self._work()) for _ in range(self._num_children)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for seat in self._seats:
            seat.cancel()
        await asyncio.gather(*self._seats, return_exceptions=True)
        await self._nursery.__aexit__()

    async def ask(self, gold: str, texts: Sequence[str], extract: str) -> list[Score]:
        """One score per text; how many may wait is bounded by the worker's concurrency."""
        asked = Asked(len(texts), asyncio.get_running_loop().create_future())
        for place, text in enumerate(texts):
            self._waiting.put_nowait(Question(gold, text, extract, asked, place))
        return await asked.future

    async def _work(self) -> None:
        seat = _Seat()
        try:
            while True:
                questions = await self._take()
                if not questions:  # nobody waits for them any more
                    continue
                try:
                    await self._serve(seat, questions)
                except (PlauditError, OSError) as error:
                    log.warning("verifier_unavailable", error=str(error))
                    await self._leave(seat)
                    self._fail(questions, f"the verifier is not available: {error}")
        finally:
            if seat.child is not None:
                seat.child.writer.close()

    async def _take(self) -> list[Question]:
        questions = [await self._waiting.get()]
        fair_share = -(-self._waiting.qsize() // self._num_children)
        with suppress(asyncio.QueueEmpty):
            while len(questions) < min(MAX_BATCH, 1 + fair_share):
                questions.append(self._waiting.get_nowait())
        return [question for question in questions if question.is_open()]

    async def _serve(self, seat: _Seat, questions: list[Question]) -> None:
        child = await self._fresh_enough(seat)
        seat.num_answers += len(questions)
        batch = Batch(questions, child)
        batch.send()
        limits = self._limits
        # CPU time, so that a busy machine does not cost right answers their value.
        of_one = ChildLimits(MAX_WALL * limits.timeout_s, limits.memory_bytes, limits.timeout_s)
        reply = await next_line(child, of_one, batch.settle_noted)
        if isinstance(reply, bytes):
            batch.settle(reply)
            return
        await self._leave(seat)
        self._sort_out(batch, self._why(reply))

    def _why(self, broken: Broken) -> Missing:
        limits = self._limits
        VERIFIER_KILLS.labels(broken).inc()
        match broken:
            case "timeout":
                return Missing(f"not decided within {limits.timeout_s:g} s")
            case "memory":
                return Missing(f"not decided within {limits.memory_bytes} bytes")
            case "died" | "too_long":
                return Missing("the verifier process died", retryable=True)

    def _sort_out(self, batch: Batch, why: Missing) -> None:
        """All but the question that has cost the child its life are asked again.

        That one, too, if it may have been an accident: a death that was not ours.
        """
        guilty = batch.guilty()
        guilty.num_attempts += 1
        if not why.retryable or guilty.num_attempts == MAX_ATTEMPTS:
            guilty.settle(why)
        for question in batch.questions:
            if question.is_open():
                self._waiting.put_nowait(question)

    def _fail(self, questions: Sequence[Question], reason: str) -> None:
        for question in questions:
            question.settle(Missing(reason, retryable=True))

    async def _fresh_enough(self, seat: _Seat) -> VerifierChild:
        if seat.child is not None and (
            seat.num_answers >= self._limits.max_answers
            or seat.child.resident_bytes() > self._limits.memory_bytes // 2
        ):
            await self._leave(seat)
        if seat.child is None:
            seat.child, seat.num_answers = await self._nursery.start(), 0
        return seat.child

    async def _leave(self, seat: _Seat) -> None:
        child, seat.child = seat.child, None
        if child is not None:
            await self._nursery.kill(child)
