"""Ctrl-C: the first one stops what is running now, the second one kills it."""

import asyncio
import signal

from plaudit.local.supervisor import Supervisor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The user stopped the command; everything it started is gone."""


class Interrupts:
    """Takes over the signals of the running loop and hands them to one supervisor at a time."""

    def __init__(self) -> None:
        self._num_received = 0
        self._current: Supervisor | None = None
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._received)

    async def run(self, supervisor: Supervisor) -> None:
        """`supervisor.run()`. Raises Interrupted when it ended because of a signal."""
        self._current = supervisor
        if self._num_received:
            raise Interrupted
        try:
            await supervisor.run()
        finally:
            self._current = None
        if self._num_received:
            raise Interrupted

    def _received(self) -> None:
        self._num_received += 1
        if self._current is not None:
            self._current.request_stop()
