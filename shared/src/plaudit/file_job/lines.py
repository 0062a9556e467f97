"""Reading JSONL that others wrote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError

MAX_LINE_BYTES = 16 * 2**20
_MAX_ID_CHARS = 256


def read_lines(path: Path) -> Iterator[bytes]:
    """Raises ConfigError: it cannot be read, or a line is too long."""
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise ConfigError(f"{path}: a line is over {MAX_LINE_BYTES} bytes.")
                yield line
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def json_object(line: bytes, place: str) -> dict[str, Any]:
    """Raises ConfigError that names the `place`."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{place}: not a JSON object.")
    return found


def checked_id(value: object, place: str) -> str:
    """Raises ConfigError that names the `place`."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ConfigError(f"{place}: id: must be a text or a whole number.")
    text = str(value)
    if not 0 < len(text) <= _MAX_ID_CHARS:
        raise ConfigError(f"{place}: id: must have 1 to {_MAX_ID_CHARS} characters.")
    return text
