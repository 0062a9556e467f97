"""The first SIGTERM or SIGINT asks for a drain; the second ends the process at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plaudit.telemetry.logging import get_logger

SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = get_logger(__name__)


@contextmanager
def stop_on_signals(on_stop: Callable[[], None]) -> Iterator[None]:
    """Must be entered in the main thread, inside the running event loop."""
    loop = asyncio.get_running_loop()
    asked = False

    def handle(number: signal.Signals) -> None:
        nonlocal asked
        if asked:
            log.warning("second_signal", signal=number.name, action="exit at once")
            os._exit(128 + number)
        asked = True
        log.info("stopping", signal=number.name)
        on_stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
