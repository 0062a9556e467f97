"""Names of settings and what is wrong with them, in words a person can act on."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from plaudit.telemetry.redact import redact_text

MAX_VALUE_CHARS = 80


def nearest(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The valid name that `name` was probably meant to be; `cutoff` 1.0 is the same name."""
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=cutoff)
    return close[0] if close else None


def unknown_name(what: str, name: str, valid: Iterable[str]) -> str:
    """`what` is the whole path as the reader wrote it; `name` its last part."""
    names = sorted(valid)
    guess = nearest(name, names)
    hint = f"did you mean `{guess}`?" if guess else f"valid: {', '.join(names) or 'none'}"
    return f"{what}: unknown; {hint}"


def describe_errors(model: type[BaseModel], error: ValidationError, prefix: str = "") -> list[str]:
    """One line per error: dotted path, value, what is allowed, nearest valid name."""
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        loc = [part for part in item["loc"] if part != "function-after"]
        path = ".".join(str(part) for part in loc)
        where = f"{prefix}.{path}" if prefix and path else prefix or path or "value"
        if item["type"] == "extra_forbidden":
            owner = model_at(model, loc[:-1])
            valid = owner.model_fields if owner is not None else ()
            lines.append(unknown_name(where, str(loc[-1]), valid))
        else:
            shown = show_value(model, loc, item["input"], item["type"])
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"{where}{shown}: {message[:1].lower()}{message[1:]}")
    return lines


def show_value(model: type[BaseModel], loc: Sequence[int | str], value: Any, kind: str) -> str:
    """` = VALUE`, shortened; nothing for secrets, whole tables and keys that are absent."""
    if kind == "missing" or not loc or isinstance(value, dict | BaseModel) or is_secret(model, loc):
        return ""
    text = redact_text(repr(value))
    return f" = {text[:MAX_VALUE_CHARS]}{'...' if len(text) > MAX_VALUE_CHARS else ''}"


def is_secret(model: type[BaseModel], loc: Sequence[int | str]) -> bool:
    field = field_at(model, loc)
    return field is not None and any(
        kind in (SecretStr, SecretBytes) for kind in flatten(field.annotation)
    )


def field_at(model: type[BaseModel], loc: Sequence[int | str]) -> FieldInfo | None:
    """The innermost field that `loc` goes through."""
    found: FieldInfo | None = None
    current: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, str) and current is not None and part in current.model_fields:
            found = current.model_fields[part]
            current = next((kind for kind in flatten(found.annotation) if is_model(kind)), None)
    return found


def model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel] | None:
    """The model whose fields the names below `loc` are."""
    if not loc:
        return model
    field = field_at(model, loc)
    if field is None:
        return None
    return next((kind for kind in flatten(field.annotation) if is_model(kind)), None)


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def flatten(annotation: Any) -> list[Any]:
    """`dict[str, A | None]` -> `[dict[str, A | None], str, A | None, A, None]`."""
    found = [annotation]
    for arg in get_args(annotation):
        found.extend(flatten(arg))
    return found


def check_table_names(tables: Iterable[str], pattern: str) -> None:
    """Of tables that users name. Raises ValueError for the first that does not match."""
    for name in tables:
        if not re.fullmatch(pattern, name):
            raise ValueError(f"{name!r} must match {pattern}")
