"""What a child has found out of its batch so far, in memory that it shares with the worker.

A batch is one message each way, whoever waits for it. When it takes long, this tells the worker
what it need not wait for, and which question the child is at.
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

MAX_BATCH = 32
"""Questions sent to a child in one go. Those behind a hostile one wait for its deadline."""

Answer = float | str
"""A verdict, 0.0 or 1.0, or the reason why there is none."""
_VERDICTS = {ord("0"): 0.0, ord("1"): 1.0}
_MISSING = ord("?")


@contextmanager
def empty_notes() -> Iterator[BinaryIO]:
    """A file in memory for a `Noted` in each of two processes."""
    with open(os.memfd_create("noted"), "r+b", buffering=0) as file:
        file.truncate(MAX_BATCH)
        yield file


class Noted:
    """A byte for each question. The file may be closed then."""

    def __init__(self, file: BinaryIO) -> None:
        self._bytes = mmap.mmap(file.fileno(), MAX_BATCH)

    def clear(self) -> None:
        self._bytes[:] = bytes(MAX_BATCH)

    def note(self, index: int, answer: Answer) -> None:
        self._bytes[index] = _MISSING if isinstance(answer, str) else ord("1" if answer else "0")

    def verdicts(self) -> Sequence[float | None]:
        """Of the questions that are answered, in their order; None: a reason, which is not here."""
        answered, _, _ = self._bytes[:].partition(b"\0")
        return [_VERDICTS.get(byte) for byte in answered]
