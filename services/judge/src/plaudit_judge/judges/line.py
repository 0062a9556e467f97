"""The one retry layer of a judge, and what its calls wait for: limits, Retry-After, a breaker."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from plaudit.errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    NotFound,
    PlauditError,
    QueueFull,
    Unauthorized,
    Unavailable,
)
from plaudit_judge import metrics
from plaudit_judge.judges.base import LimitedSpec, Reply
from plaudit_judge.judges.usage import check_usage
from plaudit_judge.limits.breaker import Breaker, OtherServer
from plaudit_judge.limits.concurrency import AdaptiveConcurrency
from plaudit_judge.limits.failures import Failures
from plaudit_judge.limits.rate import LocalRate, Rate
from plaudit_judge.limits.slots import LaneSlots
from plaudit_judge.origin import current_origin

Attempt = Callable[[], Awaitable[Reply]]
MAX_RETRY_AFTER_S = 60.0
"""An endpoint that asks for more time is asked again after this long."""
_OPERATOR = (Unauthorized, Forbidden, NotFound, Conflict, BudgetExceeded)
"""Wrong key, model or table, or an account that is empty: no other attempt mends it."""


class Line:
    """From one judge to its endpoint, shared by all of its calls in this process.

    One call at a time stands at the head of the line, in the order of `LaneSlots`, and waits for
    all that keeps this judge from being called; so no limit can be used up by one lane.
    """

    def __init__(self, judge: str, spec: LimitedSpec, rate: Rate | None = None) -> None:
        self.judge = judge
        self._turns = LaneSlots(1)
        self._concurrency = AdaptiveConcurrency(spec.max_concurrency)
        self._rate = rate or LocalRate(*spec.rate_limits())
        self._breaker = Breaker()
        self._paused_until_s = float("-inf")

    async def ask(self, timeout_s: float, attempt: Attempt, num_tokens: int = 0) -> Reply:
        """Tries until there is a reply. `num_tokens` is a guess, until the reply has the number.

        Raises Rejected: the question itself is refused; Unavailable: no answer by the deadline. A
        wrong key or model name is the operator's mistake, not the asker's: Unavailable, at once.
        """
        failures = Failures(self.judge, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._until_answered(attempt, num_tokens, failures)
        except TimeoutError:
            raise failures.too_late(self._breaker) from failures.last
        except _OPERATOR as error:
            raise Unavailable(
                f"judge {self.judge!r} cannot be used: {error.message}",
                fix=f"correct base_url, model or key of [judge.judges.{self.judge}].",
            ) from error
        if used := reply.prompt_tokens + reply.completion_tokens:
            await self._rate.settle(used - num_tokens)
        return reply

    async def _until_answered(self, attempt: Attempt, num_tokens: int, failures: Failures) -> Reply:
        while True:
            try:
                return await self._once(attempt, num_tokens)
            except Unavailable as error:
                failures.add(error)
            await asyncio.sleep(failures.pause_s())

    async def _once(self, attempt: Attempt, num_tokens: int) -> Reply:
        async with self._turns.slot(current_origin()) as turn, self._place():
            await self._wait_until_allowed(num_tokens)
            if not self._breaker.is_open:
                turn.release()  # a probe keeps it, so that it is the only one
            return await self._call(attempt)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        started_s = time.monotonic()
        async with self._concurrency.place():
            metrics.count_wait(self.judge, "concurrency", time.monotonic() - started_s)
            yield

    async def _wait_until_allowed(self, num_tokens: int) -> None:
        while (wait_s := await self._rate.take(num_tokens)) > 0.0:
            await self._wait("rate", wait_s)
        while (longest := max(self._waits()))[0] > 0.0:
            await self._wait(longest[1], longest[0])

    def _waits(self) -> list[tuple[float, str]]:
        paused_s = self._paused_until_s - time.monotonic()
        return [(paused_s, "retry_after"), (self._breaker.wait_s(), "breaker")]

    async def _wait(self, reason: str, wait_s: float) -> None:
        started_s = time.monotonic()
        try:
            await asyncio.sleep(wait_s)
        finally:  # also of a call whose deadline came first
            metrics.count_wait(self.judge, reason, time.monotonic() - started_s)

    async def _call(self, attempt: Attempt) -> Reply:
        started_s = time.monotonic()
        try:
            reply = await attempt()
            check_usage(self.judge, reply)
        except PlauditError as error:
            metrics.count_failure(self.judge, error)
            self._heed(error, started_s)
            raise
        else:
            self._concurrency.answered()
            self._breaker.answered()
        finally:
            metrics.show_line(self.judge, self._concurrency.limit, self._breaker.is_open)
        metrics.count_reply(self.judge, reply, time.monotonic() - started_s)
        return reply

    def _heed(self, error: PlauditError, started_s: float) -> None:
        """What a failure says about the next calls. An endpoint that refuses is not away."""
        match error:
            case OtherServer():
                return
            case QueueFull():
                self._concurrency.refused(started_s)
                self._breaker.answered()
            case Unavailable():
                self._breaker.failed(error, started_s)
            case _:
                self._breaker.answered()
        if isinstance(error, Unavailable) and error.retry_after_s is not None:
            pause_s = min(error.retry_after_s, MAX_RETRY_AFTER_S)
            self._paused_until_s = max(self._paused_until_s, time.monotonic() + pause_s)
