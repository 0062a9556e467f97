"""An event loop whose sleeps take no time, for what is about time and opens no socket."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")
LEAST_S = 1e-6
"""A sleep takes this long at least, as on a real clock, so that rounding never stops time."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """When nothing is ready the clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 1000.0
        self._clock_resolution = LEAST_S / 2
        self._real_select = self._selector.select
        self._selector.select = self._select  # type: ignore[method-assign]

    def time(self) -> float:
        return self._now_s

    def call_at(self, when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        return super().call_at(max(when, self._now_s + LEAST_S), *args, **kwargs)

    def _select(self, timeout: float | None = None) -> Any:
        if timeout:
            self._now_s += timeout
        return self._real_select(0)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """`time.monotonic` is the clock of the loop."""
    runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
    with runner, patch.object(time, "monotonic", lambda: runner.get_loop().time()):
        return runner.run(main)
