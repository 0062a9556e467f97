"""SIGTERM and SIGINT ask the learner to stop after the step under way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from plaudit.telemetry import get_logger

SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = get_logger(__name__)


@contextmanager
def stop_flag() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether a signal came. Must be entered in the main thread."""
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
