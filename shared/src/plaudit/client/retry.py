"""The one retry layer: jittered exponential back-off, Retry-After, attempts, one deadline."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from plaudit.client.options import ClientOptions
from plaudit.errors import DeadlineExceeded, PlauditError, Unavailable

R = TypeVar("R")

ANSWER_SHARE = 0.2
MAX_ANSWER_S = 2.0
"""The part of the time left that is kept for the answer's way back, and its most."""
MIN_DEADLINE_S = 0.001


class Attempts:
    """All attempts of one call. Raises the last error as it is, or DeadlineExceeded."""

    def __init__(self, options: ClientOptions, timeout_s: float, peer: str) -> None:
        self.timeout_s = timeout_s
        self.peer = peer
        self.deadline = time.monotonic() + timeout_s
        self.last: BaseException | None = None
        self.num_failed = 0
        self.max_attempts = stop_after_attempt(options.max_attempts)
        self.backoff = wait_random_exponential(options.backoff_s, options.max_backoff_s)

    async def run(self, attempt: Callable[[], Coroutine[Any, Any, R]]) -> R:
        retrying = AsyncRetrying(
            retry=retry_if_exception(is_retryable),
            wait=self.pause_s,
            stop=self.should_stop,
            after=self.remember,
            reraise=True,
        )
        try:
            async with asyncio.timeout(self.timeout_s):
                return await retrying(attempt)
        except TimeoutError:
            raise self.too_late() from self.last

    def peer_deadline_s(self) -> float:
        """When the peer should answer with what it has, for that to arrive in time."""
        left_s = self.deadline - time.monotonic()
        return max(MIN_DEADLINE_S, left_s - min(MAX_ANSWER_S, ANSWER_SHARE * left_s))

    def pause_s(self, state: RetryCallState) -> float:
        """At least what the server asked for."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, Unavailable) else None
        return max(self.backoff(state), asked or 0.0)

    def should_stop(self, state: RetryCallState) -> bool:
        """Also when the pause alone would use the time up: the error says more than a time-out."""
        return self.max_attempts(state) or time.monotonic() + state.upcoming_sleep > self.deadline

    def remember(self, state: RetryCallState) -> None:
        self.num_failed = state.attempt_number
        self.last = state.outcome.exception() if state.outcome else None

    def too_late(self) -> DeadlineExceeded:
        before = f" after {self.num_failed} failed attempts ({self.last})" if self.last else ""
        return DeadlineExceeded(
            f"{self.peer} did not answer within timeout_s = {self.timeout_s:g}{before}."
        )


def is_retryable(error: BaseException) -> bool:
    return isinstance(error, PlauditError) and error.retryable
