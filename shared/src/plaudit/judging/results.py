"""The output file: one line per answered item, in the order of the answers."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.judging.items import Item
from plaudit.judging.verbs import Response, Verb
from plaudit.schemas.common import Contract


class Result(Contract):
    """`key` stands for the whole question that was answered."""

    id: str
    key: str
    gold: str | float | list[str] | list[float] | None = None
    response: dict[str, object]


class Results:
    """Appends while it is open, to a file of its own. What is there stays, and is not asked again.

    Raises ConfigError: another run writes to the file, or it is no output of `verb`.
    """

    def __init__(self, path: Path, verb: Verb) -> None:
        self.path = path
        self._verb = verb
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            self._lock()
            _cut_torn_line(self._file.fileno())
            self._keys = {result.id: bytes.fromhex(result.key) for result, _ in self.read()}
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

    def has(self, item: Item) -> bool:
        """Raises ConfigError: the file has the answer to another question under this id."""
        known = self._keys.get(item.item_id)
        if known is not None and known != bytes.fromhex(item.key):
            raise ConfigError(
                f"{self.path}: item {item.item_id!r} was answered with another question or other "
                "options (judge, rubric, --set).",
                fix="give --output another file, or remove this one to ask everything anew",
            )
        return known is not None

    def append(self, item: Item, response: dict[str, object]) -> None:
        """Written in one piece and handed to the system, so that a killed run keeps it."""
        result = Result(id=item.item_id, key=item.key, gold=item.gold, response=response)
        self._file.write(result.model_dump_json().encode() + b"\n")
        self._file.flush()
        self._keys[item.item_id] = bytes.fromhex(item.key)

    def read(self) -> Iterator[tuple[Result, Response]]:
        """All answers so far. Raises ConfigError: a line is something else."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield self._parse(line, number)

    def _parse(self, line: bytes, number: int) -> tuple[Result, Response]:
        try:
            result = Result.model_validate_json(line)
            return result, self._verb.response.model_validate(result.response)
        except ValidationError:
            raise ConfigError(
                f"{self.path}:{number}: not a result of `plaudit judge {self._verb.name}`.",
                fix="give --output another file",
            ) from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self.path} is being written by another plaudit.",
                fix="wait for it, or give --output another file",
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
