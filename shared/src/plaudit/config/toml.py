"""Reading TOML, and writing it (the standard library only reads it)."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Raises ConfigError: `what`, e.g. "The recipe", cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{what} {path} cannot be read: {error}.", fix="name a TOML file"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{what} {path} is not valid TOML: {error}.", fix="correct that line."
        ) from error


def dump_toml(document: dict[str, Any]) -> str:
    """Plain values first, then `[tables]` and `[[arrays of tables]]`.

    Raises:
        ConfigError: a value that TOML cannot hold, such as null inside a list.
    """
    lines: list[str] = []
    write_table(lines, document, ())
    return "\n".join(lines).strip() + "\n"


def write_table(lines: list[str], table: dict[str, Any], path: tuple[str, ...]) -> None:
    nested = {key: value for key, value in table.items() if is_nested(value)}
    lines.extend(
        f"{key_text(key)} = {value_text(value, (*path, key))}"
        for key, value in table.items()
        if key not in nested
    )
    for key, value in nested.items():
        inner = (*path, key)
        name = ".".join(key_text(part) for part in inner)
        for item in value if isinstance(value, list) else [value]:
            lines += ["", f"[[{name}]]" if isinstance(value, list) else f"[{name}]"]
            write_table(lines, item, inner)


def is_nested(value: Any) -> bool:
    """Tables, and lists of nothing but tables, get a header of their own."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def key_text(key: str) -> str:
    bare = key.replace("-", "a").replace("_", "a")
    return key if bare.isascii() and bare.isalnum() else string_text(key)


def string_text(text: str) -> str:
    # why: JSON's escapes are TOML's, except that TOML also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value_text(value: Any, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"{value}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(item, path) for item in value) + "]"
    if isinstance(value, dict):
        items = (f"{key_text(key)} = {value_text(item, path)}" for key, item in value.items())
        return "{ " + ", ".join(items) + " }"
    raise ConfigError(f"{'.'.join(path)} = {value!r}: cannot be written as TOML.")
