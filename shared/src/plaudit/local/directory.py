"""Directories of our own."""

from pathlib import Path

from plaudit.errors import ConfigError


def make_directory(path: Path) -> None:
    """Made when it is not there. Raises ConfigError when that is refused."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be made: {error.strerror}.",
            fix="choose another place: PLAUDIT_CACHE_DIR, PLAUDIT_STATE_DIR or --run-dir",
        ) from error
