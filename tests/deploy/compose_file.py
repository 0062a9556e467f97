"""compose.yaml as Docker Compose reads it: merged, with the defaults of its variables."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "deploy" / "compose"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def read(name: str = "compose.yaml") -> dict[str, Any]:
    """With no variable set."""
    text = _VARIABLE.sub(r"\2", (DIRECTORY / name).read_text())
    assert "${" not in text, "a variable without a default"
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read()["services"]
    return found


def image_of(service: dict[str, Any]) -> str:
    """`reward` of plaudit-reward:dev and plaudit-reward-model:dev; the whole name of others."""
    name = str(service["image"])
    own = re.fullmatch(r"plaudit-([a-z]+)(-model)?:dev", name)
    return own[1] if own else name


def dockerfile(service: str) -> str:
    return (ROOT / "services" / service / "Dockerfile").read_text()
