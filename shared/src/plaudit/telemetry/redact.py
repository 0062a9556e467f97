"""Secrets and control characters never reach a log line, an error or a terminal."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretBytes, SecretStr

HIDDEN = "***"
MAX_TEXT_CHARS = 8192
MAX_DEPTH = 4

SECRET_NAME = re.compile(
    r"(authorization|cookie|password|passwd|secret|api[-_]?keys?|access[-_]?token|bearer)", re.I
)
BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*@")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def redact_text(text: str) -> str:
    """Hides bearer tokens and the password of a URL."""
    if "://" in text:
        text = URL_PASSWORD.sub(f"{HIDDEN}@", text)
    if "earer" in text or "asic" in text or "EARER" in text:
        text = BEARER.sub(rf"\1 {HIDDEN}", text)
    return text


def escape_control(text: str) -> str:
    r"""Hostile text cannot move the cursor or forge a line: control characters become `\x1b`."""
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def redact_value(name: str, value: Any, depth: int = 0) -> Any:
    """`value` as it may be logged under `name`; nested tables are walked to a bounded depth."""
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN
    if is_secret_name(name) and not isinstance(value, bool | int | float | None):
        return HIDDEN
    if isinstance(value, str):
        return redact_text(shorten(value))
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return "<...>"
        return {str(key): redact_value(str(key), item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        if depth >= MAX_DEPTH:
            return "<...>"
        return [redact_value("", item, depth + 1) for item in value]
    return value


def is_secret_name(name: str) -> bool:
    return SECRET_NAME.search(name) is not None and not name.endswith(("_file", "_path"))


def shorten(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"{text[:MAX_TEXT_CHARS]}... ({len(text)} characters)"
