"""Where a step's time goes."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class StepClock:
    """Seconds by name since the last `drain`."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - started_s)

    def add(self, name: str, seconds: float) -> None:
        self._seconds[name] += seconds

    def drain(self) -> dict[str, float]:
        seconds = {name: round(value, 6) for name, value in self._seconds.items()}
        self._seconds.clear()
        return seconds
