"""Rows of files: JSON lines, also compressed, and Parquet."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from plaudit.errors import ConfigError

MAX_LINE_BYTES = 16 * 2**20
_ROWS_AT_ONCE = 256


def is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"


def json_lines(setting: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """With each row its line, from 1. Raises ConfigError naming the line."""
    with _open(setting, path) as file:
        for number, line in enumerate(_lines(setting, path, file), start=1):
            if line.strip():
                yield number, _object(f"{setting} = {str(path)!r}, line {number}", line)


def parquet_rows(setting: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """With each row its number, from 1. A few rows are in memory at once."""
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(setting, path, error, "Parquet") from error


def _open(setting: str, path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise _unreadable(setting, path, error, "JSONL") from error


def _lines(setting: str, path: Path, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE_BYTES + 1)
        except (OSError, EOFError) as error:
            raise _unreadable(setting, path, error, "JSONL") from error
        if not line:
            return
        if len(line) > MAX_LINE_BYTES:
            raise ConfigError(
                f"{setting} = {str(path)!r}, line {number}: over {MAX_LINE_BYTES} bytes.",
                fix="give one row a line, or Parquet",
            )
        yield line


def _object(place: str, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{place} cannot be read: {error}.", fix="write it in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON ({error}).", fix="mend that line") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{place}: not an object.", fix="one JSON object a line")
    return record


def _unreadable(setting: str, path: Path, error: Exception, kind: str) -> ConfigError:
    return ConfigError(
        f"{setting} = {str(path)!r} cannot be read: {error}.", fix=f"give a readable {kind} file"
    )
