"""`a.b=c` on the command line: sets one value inside a nested document."""

import tomllib
from typing import Any

from plaudit.errors import ConfigError


def apply_override(document: dict[str, Any], override: str) -> None:
    """Changes `document` in place; `rewards.0.weight=2` goes into lists, `rewards.2...` appends.

    Raises:
        ConfigError: no `=`, an empty name, or a path through something that has no parts.
    """
    path, separator, text = override.partition("=")
    parts = [part.strip() for part in path.split(".")]
    if not separator or not all(parts):
        raise ConfigError(f"--set {override}: must read name=value, e.g. method.beta=0.04")
    target: Any = document
    for depth, part in enumerate(parts[:-1]):
        target = child(target, part, ".".join(parts[: depth + 1]), override)
    assign(target, parts[-1], parse_value(text.strip()), path, override)


def parse_value(text: str) -> Any:
    """A TOML value when it is one (`1e-6`, `true`, `["a"]`), else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {text}\n")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if list(parsed) == ["value"] else text


def child(target: Any, part: str, path: str, override: str) -> Any:
    """The table or list at `part`, made when it is not there."""
    if isinstance(target, list):
        index = list_index(target, part, path, override)
        if index == len(target):
            target.append({})
        return target[index]
    if isinstance(target, dict):
        return target.setdefault(part, {})
    raise ConfigError(f"--set {override}: {path}: a plain value has no parts")


def assign(target: Any, part: str, value: Any, path: str, override: str) -> None:
    if isinstance(target, dict):
        target[part] = value
    elif isinstance(target, list):
        index = list_index(target, part, path, override)
        target[index : index + 1] = [value]
    else:
        raise ConfigError(f"--set {override}: {path}: a plain value has no parts")


def list_index(target: list[Any], part: str, path: str, override: str) -> int:
    if not part.isdecimal() or int(part) > len(target):
        raise ConfigError(
            f"--set {override}: {path}: {part!r} is no index; the list has {len(target)} items "
            f"(0 to {len(target) - 1}, or {len(target)} to append)"
        )
    return int(part)
