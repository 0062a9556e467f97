"""The output file: one line per answered item, in the order of the answers until it is sorted."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.file_job.progress import Asked


class Answer(Protocol):
    """A line. `key` stands for the whole question that was answered."""

    @property
    def id(self) -> str: ...

    @property
    def key(self) -> str: ...


L = TypeVar("L", bound=Answer)


class Journal(Generic[L]):
    """Appends while it is open, to a file of its own. What is there stays, and is not asked again.

    `parse` reads a line, and raises ValidationError for what is none. Raises ConfigError: another
    run writes to the file, or a line is something else than `what`.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], L], what: str) -> None:
        self.path = path
        self._parse = parse
        self._what = what
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            self._lock()
            _cut_torn_line(self._file.fileno())
            self._keys = {line.id: bytes.fromhex(line.key) for line in self.read()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def has(self, item: Asked) -> bool:
        """Raises ConfigError: the file has the answer to another question under this id."""
        known = self._keys.get(item.item_id)
        if known is not None and known != bytes.fromhex(item.key):
            raise ConfigError(
                f"{self.path}: item {item.item_id!r} was answered with another question or other "
                "options.",
                fix="name another output file, or remove this one to ask everything anew",
            )
        return known is not None

    def append(self, line: Answer, text: str) -> None:
        """Written in one piece and handed to the system, so that a killed run keeps it."""
        self._file.write(text.encode() + b"\n")
        self._file.flush()
        self._keys[line.id] = bytes.fromhex(line.key)

    def read(self) -> Iterator[L]:
        """All answers so far. Raises ConfigError: a line is something else."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield self._checked(line, number)

    def sort(self, order: Mapping[str, int]) -> None:
        """By the number of the id, whole or not at all; lines of other ids come last."""
        places = sorted(self._places(), key=lambda place: order.get(place[0], len(order)))
        if all(one[1] < other[1] for one, other in pairwise(places)):
            return
        half = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        with self.path.open("rb") as source, half.open("wb") as target:
            for _, start, size in places:
                source.seek(start)
                target.write(source.read(size))
        half.replace(self.path)

    def _places(self) -> Iterator[tuple[str, int, int]]:
        """Id, first byte and size of each line."""
        start = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield self._checked(line, number).id, start, len(line)
                start += len(line)

    def _checked(self, line: bytes, number: int) -> L:
        try:
            return self._parse(line)
        except ValidationError:
            raise ConfigError(
                f"{self.path}:{number}: not {self._what}.", fix="name another output file"
            ) from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self.path} is being written by another plaudit.",
                fix="wait for it, or name another output file",
            ) from None


def _cut_torn_line(descriptor: int) -> None:
    """What a killed run had not written to the end is cut off; its item is asked again."""
    size = os.fstat(descriptor).st_size
    end, tail = size, b""
    while end > 0 and b"\n" not in tail:
        start = max(0, end - 65_536)
        tail = os.pread(descriptor, end - start, start)
        if b"\n" in tail:
            os.ftruncate(descriptor, start + tail.rindex(b"\n") + 1)
            return
        end = start
    if size:
        os.ftruncate(descriptor, 0)
