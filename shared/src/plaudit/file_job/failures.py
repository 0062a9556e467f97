"""The items that failed, beside the output: the next run asks for them anew."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract


class Failure(Contract):
    id: str
    error: str
    num_failures: int = 1
    """Runs in which it failed; part of the key, since the service remembers what it refused."""


def read_failures(path: Path) -> dict[str, Failure]:
    """By item. Raises ConfigError: the file is something else."""
    if not path.exists():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [Failure.model_validate_json(line) for line in lines]
    except (OSError, UnicodeDecodeError, ValidationError):
        raise ConfigError(f"{path} is no list of failures.", fix="move it away") from None
    return {failure.id: failure for failure in found}


def write_failures(path: Path, failures: Mapping[str, Failure]) -> None:
    """One line per item; no file without any."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    lines = (failure.model_dump_json() + "\n" for failure in failures.values())
    path.write_text("".join(lines), encoding="utf-8")
