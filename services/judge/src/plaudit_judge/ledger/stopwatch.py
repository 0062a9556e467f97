"""How long a call took, which may not have been made at all."""

import time


class Stopwatch:
    """`with watch:` around what is timed; `seconds` is 0 until it is done."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._started_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._started_s
