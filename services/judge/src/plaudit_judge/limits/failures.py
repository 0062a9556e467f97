"""The failed attempts of one call: how long to wait before the next, and what to say of them."""

import random
import time

from plaudit.errors import DeadlineExceeded, QueueFull, Unavailable
from plaudit_judge.limits.breaker import Breaker

_BACKOFF_S, _MAX_BACKOFF_S = 0.2, 5.0
_MAX_REFUSED_BACKOFF_S = 1.0
"""Of a call that was refused: the endpoint is there, and others are kept from crowding it."""
_LAST_S = 0.1
"""With less time left there need not be another try."""


class Failures:
    def __init__(self, judge: str, timeout_s: float) -> None:
        self._judge = judge
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s
        self._number = 0
        self.last: Unavailable | None = None

    def add(self, error: Unavailable) -> None:
        self._number += 1
        self.last = error

    def pause_s(self) -> float:
        """Exponential back-off with full jitter; never all the time left: there is another try."""
        most_s = _MAX_REFUSED_BACKOFF_S if isinstance(self.last, QueueFull) else _MAX_BACKOFF_S
        pause_s = random.uniform(0.0, min(most_s, _BACKOFF_S * 2 ** min(self._number - 1, 10)))
        left_s = self._deadline_s - time.monotonic()
        return min(pause_s, max(left_s / 2, _LAST_S))

    def too_late(self, breaker: Breaker) -> Unavailable:
        """504 only when nothing failed but time ran out."""
        text = f"judge {self._judge!r} did not answer within {self._timeout_s:.3g} s"
        fix = self.last.fix if self.last else None
        if breaker.is_open:
            return Unavailable(f"{text}: {breaker.describe()}", fix=fix)
        if self.last is None:
            return DeadlineExceeded(f"{text}.")
        return Unavailable(
            f"{text}, after {self._number} failed attempts: {self.last.message}", fix=fix
        )
