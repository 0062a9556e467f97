"""Rubrics from their files."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit_judge.rubric import Rubric

SHIPPED_DIR = Path(__file__).parent / "rubrics"


def load_rubrics(extra_dir: Path | None = None) -> dict[str, Rubric]:
    """The shipped rubrics and those in `extra_dir`, which may replace shipped ones.

    Raises ConfigError: a file is no rubric, or the directory does not exist.
    """
    if extra_dir is not None and not extra_dir.is_dir():
        raise ConfigError(
            f"judge.rubric_dir: {extra_dir} is not a directory.",
            fix="Create it, or leave the setting out.",
        )
    paths = sorted(SHIPPED_DIR.glob("*.toml"))
    paths += sorted(extra_dir.glob("*.toml")) if extra_dir else []
    return {path.stem: load_rubric(path) for path in paths}


def load_rubric(path: Path) -> Rubric:
    """Raises ConfigError: unreadable, not TOML, a wrong key, or a name unlike the file's."""
    try:
        rubric = Rubric.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a rubric: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "rubric"
        raise ConfigError(f"{path}: {place}: {first['msg']}.") from error
    if rubric.name != path.stem:
        raise ConfigError(
            f"{path}: name is {rubric.name!r}, the file says {path.stem!r}.",
            fix="Make them equal.",
        )
    return rubric
