"""An event loop whose sleeps take no time, for what is about time and opens no socket."""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")
LEAST_S = 1e-6
"""The clock jumps this far at least, as a real one goes on, so that rounding never stops time."""


class _Clock(selectors.DefaultSelector):
    """When nothing is ready the clock jumps to the next timer."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        self.now_s += max(timeout or 0.0, LEAST_S)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = _Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now_s


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """`time.monotonic` is the clock of the loop."""
    runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
    with runner, patch.object(time, "monotonic", lambda: runner.get_loop().time()):
        return runner.run(main)
