"""The output file of an evaluation job."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from plaudit.file_job.journal import Journal
from plaudit.judging.items import Item
from plaudit.judging.verbs import Response, Verb
from plaudit.schemas.common import Contract


class Result(Contract):
    """`key` stands for the whole question that was answered."""

    id: str
    key: str
    gold: str | float | list[str] | list[float] | None = None
    response: dict[str, object]


@dataclass(frozen=True)
class _Answer:
    result: Result
    response: Response

    @property
    def id(self) -> str:
        return self.result.id

    @property
    def key(self) -> str:
        return self.result.key


class Results:
    """Answers of one verb, as a Journal keeps them."""

    def __init__(self, path: Path, verb: Verb) -> None:
        def parse(line: bytes) -> _Answer:
            result = Result.model_validate_json(line)
            return _Answer(result, verb.response.model_validate(result.response))

        self._verb = verb
        self._journal = Journal(path, parse, f"a result of `plaudit judge {verb.name}`")

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._journal.__exit__(kind, error, traceback)

    def has(self, item: Item) -> bool:
        """Raises ConfigError: the file has the answer to another question under this id."""
        return self._journal.has(item)

    def append(self, item: Item, response: dict[str, object]) -> None:
        """Handed to the system at once, so that a killed run keeps it."""
        result = Result(id=item.item_id, key=item.key, gold=item.gold, response=response)
        self._journal.append(result, result.model_dump_json())

    def read(self) -> Iterator[tuple[Result, Response]]:
        """All answers so far. Raises ConfigError: a line is something else."""
        return ((answer.result, answer.response) for answer in self._journal.read())
