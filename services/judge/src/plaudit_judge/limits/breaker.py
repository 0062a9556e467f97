"""A circuit breaker: an endpoint that keeps failing is left alone but for single probes."""

import random
import time

from plaudit.errors import Unavailable

FAILURES_TO_OPEN = 10
"""In a row. A single call that fails has its own pauses; so many are of many calls."""
_FIRST_S, MAX_OPEN_S = 0.5, 5.0
"""Open after the first and after many failed probes; half of it is random."""


class OtherServer(Unavailable):
    """This server, or this batch, failed, and there is another: no failure of the judge."""


class Breaker:
    """Closed until FAILURES_TO_OPEN calls in a row failed. Then one call at a time may probe."""

    def __init__(self) -> None:
        self._num_failures = 0
        self._probe_at_s = float("-inf")
        self._opened_at_s = 0.0
        self._last = ""

    @property
    def is_open(self) -> bool:
        return self._num_failures >= FAILURES_TO_OPEN

    def wait_s(self) -> float:
        """Until a probe may go."""
        return max(0.0, self._probe_at_s - time.monotonic()) if self.is_open else 0.0

    def answered(self) -> None:
        self._num_failures = 0

    def failed(self, error: Unavailable, started_s: float) -> None:
        """Of a call that began at `started_s`; one that began before the last probe is old news."""
        if self.is_open and started_s < self._probe_at_s:
            return
        self._num_failures += 1
        self._last = error.message
        if self.is_open:
            self._open(self._num_failures - FAILURES_TO_OPEN)

    def _open(self, num_probes: int) -> None:
        now_s = time.monotonic()
        if num_probes == 0:
            self._opened_at_s = now_s
        longest_s = min(MAX_OPEN_S, _FIRST_S * 2 ** min(num_probes, 10))
        self._probe_at_s = now_s + longest_s * random.uniform(0.5, 1.0)

    def describe(self) -> str:
        return (
            f"circuit breaker open for {time.monotonic() - self._opened_at_s:.1f} s, after "
            f"{self._num_failures} failures in a row, the last one: {self._last}"
        )
