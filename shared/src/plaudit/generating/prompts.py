"""Rows of a prompts file, JSONL or Parquet."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from plaudit.errors import ConfigError
from plaudit.file_job.lines import checked_id, json_object, read_lines
from plaudit.schemas.common import Message
from plaudit.schemas.generate import Ask

_MESSAGES = TypeAdapter(list[Message])
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class PromptRow:
    """`number` counts from 0."""

    item_id: str
    key: str
    number: int
    prompt: list[Message]
    reference: Any


@dataclass(frozen=True)
class PromptFile:
    """`options` is all that changes an answer besides the prompt: it is a part of the key."""

    path: Path
    options: str
    prompt_column: str = "prompt"
    id_column: str = "id"
    reference_column: str = "reference"

    def rows(self) -> Iterator[PromptRow]:
        """Raises ConfigError that names the line and the column."""
        read = _parquet_rows if self.path.suffix == ".parquet" else _jsonl_rows
        for number, (place, fields) in enumerate(read(self.path)):
            yield self._row(fields, place, number)

    def check(self) -> dict[str, int]:
        """Reads all rows once, and gives their ids in order: no call is made before a mistake is
        found. Raises ConfigError: a wrong row, the same id twice, no row at all."""
        order: dict[str, int] = {}
        for row in self.rows():
            if order.setdefault(row.item_id, row.number) != row.number:
                raise ConfigError(
                    f"{self.path}: rows {order[row.item_id] + 1} and {row.number + 1} have the "
                    f"same id {row.item_id!r}.",
                    fix=f"give each row a {self.id_column!r} of its own",
                )
        if not order:
            raise ConfigError(f"{self.path} has no rows.", fix="write one JSON object per line")
        return order

    def _row(self, fields: dict[str, Any], place: str, number: int) -> PromptRow:
        prompt = self._prompt(fields, place)
        named = fields.get(self.id_column)
        item_id = str(number) if named is None else checked_id(named, place)
        digest = hashlib.sha256(self.options.encode())
        digest.update(_MESSAGES.dump_json(prompt))
        reference = fields.get(self.reference_column)
        return PromptRow(item_id, digest.hexdigest(), number, prompt, reference)

    def _prompt(self, fields: dict[str, Any], place: str) -> list[Message]:
        if self.prompt_column not in fields:
            there = ", ".join(sorted(fields))
            raise ConfigError(
                f"{place}: no column {self.prompt_column!r}; there are {there}.",
                fix="name the column of prompts: --prompt-column",
            )
        value = fields[self.prompt_column]
        if isinstance(value, str):
            return [Message(role="user", content=value)]
        try:
            prompt = _MESSAGES.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in (self.prompt_column, *first["loc"]))
            raise ConfigError(f"{place}: {where}: {first['msg']}.") from None
        if not prompt:
            raise ConfigError(f"{place}: {self.prompt_column}: no message.")
        return prompt


def describe(ask: Ask, model: str, *, strip_think: bool) -> str:
    """For `PromptFile.options`."""
    return f"{model}\n{strip_think}\n{ask.model_dump_json()}\n"


def _jsonl_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            place = f"{path}:{number}"
            yield place, json_object(line, place)


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(
            f"{path}: Parquet needs pyarrow, which is not installed.", fix="pip install pyarrow"
        ) from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for fields in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", fields
    except (OSError, pyarrow.ArrowException) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", fix="give a Parquet file") from error
