"""A few verifier children, each killed when one question takes too long or too much memory."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from plaudit.errors import PlauditError
from plaudit.telemetry import get_logger
from plaudit_reward.child_process import Child, ChildLimits, next_line
from plaudit_reward.metrics import VERIFIER_KILLS
from plaudit_reward.reward import Missing, Score
from plaudit_reward.verifier.nursery import Nursery

MAX_BATCH = 32
"""Questions sent to a child in one go. Those behind a hostile one wait for its deadline."""
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
class Question:
    gold: str
    text: str
    extract: str
    future: asyncio.Future[Score]
    num_attempts: int = 0

    def line(self) -> bytes:
        question = {"gold": self.gold, "text": self.text, "extract": self.extract}
        return json.dumps(question).encode() + b"\n"

    def settle(self, score: Score) -> None:
        if not self.future.done():
            self.future.set_result(score)


@dataclass
class _Seat:
    """A place for one child. `num_answers` are those of the child that sits there now."""

    child: Child | None = None
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
        loop = asyncio.get_running_loop()
        questions = [Question(gold, text, extract, loop.create_future()) for text in texts]
        for question in questions:
            self._waiting.put_nowait(question)
        return list(await asyncio.gather(*(question.future for question in questions)))

    async def _work(self) -> None:
        seat = _Seat()
        try:
            while True:
                batch = await self._take()
                try:
                    await self._serve(seat, batch)
                except (PlauditError, OSError) as error:
                    log.warning("verifier_unavailable", error=str(error))
                    await self._leave(seat)
                    self._fail(batch, f"the verifier is not available: {error}")
        finally:
            if seat.child is not None:
                seat.child.writer.close()

    async def _take(self) -> list[Question]:
        batch = [await self._waiting.get()]
        fair_share = -(-self._waiting.qsize() // self._num_children)
        with suppress(asyncio.QueueEmpty):
            while len(batch) < min(MAX_BATCH, 1 + fair_share):
                batch.append(self._waiting.get_nowait())
        return [question for question in batch if not question.future.done()]

    async def _serve(self, seat: _Seat, batch: list[Question]) -> None:
        child = await self._fresh_enough(seat)
        child.writer.write(b"".join(question.line() for question in batch))
        for index, question in enumerate(batch):
            reply = await self._reply(child)
            seat.num_answers += 1
            if isinstance(reply, bytes):
                question.settle(_score(reply))
                continue
            await self._leave(seat)
            self._settle_failed(question, reply)
            for unanswered in batch[index + 1 :]:
                self._waiting.put_nowait(unanswered)
            return

    async def _reply(self, child: Child) -> bytes | Missing:
        """The next line, or why there will be none."""
        limits = self._limits
        # CPU time, so that a busy machine does not cost right answers their value.
        of_one = ChildLimits(MAX_WALL * limits.timeout_s, limits.memory_bytes, limits.timeout_s)
        line = await next_line(child, of_one)
        if isinstance(line, bytes):
            return line
        VERIFIER_KILLS.labels(line).inc()
        match line:
            case "timeout":
                return Missing(f"not decided within {limits.timeout_s:g} s")
            case "memory":
                return Missing(f"not decided within {limits.memory_bytes} bytes")
            case "died" | "too_long":
                return Missing("the verifier process died", retryable=True)

    def _settle_failed(self, question: Question, why: Missing) -> None:
        """A death that was not ours may have been an accident: one more attempt."""
        question.num_attempts += 1
        if why.retryable and question.num_attempts < MAX_ATTEMPTS:
            self._waiting.put_nowait(question)
        else:
            question.settle(why)

    def _fail(self, batch: Sequence[Question], reason: str) -> None:
        for question in batch:
            question.settle(Missing(reason, retryable=True))

    async def _fresh_enough(self, seat: _Seat) -> Child:
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


def _score(line: bytes) -> Score:
    answer = json.loads(line)
    return Missing(answer["missing"]) if "missing" in answer else float(answer["value"])
