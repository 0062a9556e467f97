"""SIGTERM and SIGINT: at once while loading, after the step under way once training has begun."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """`came()` says whether a signal has come. Until `defer()` it ends the process by itself."""

    def __init__(self) -> None:
        self._came = False
        self._is_deferred = False

    def came(self) -> bool:
        return self._came

    def defer(self) -> None:
        """From now on a signal is noted only."""
        self._is_deferred = True

    def handle(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if not self._is_deferred:
            raise SystemExit(0)


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Must be entered in the main thread."""
    stop = StopSignal()
    previous = {number: signal.signal(number, stop.handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
