"""Whether `model.path` can name a model at all, told before anything heavy is loaded."""

from pathlib import Path

from plaudit.errors import ConfigError


def check_model_path(path: str, setting: str = "model.path") -> None:
    """Raises ConfigError when `path` is a directory's and no model is in it."""
    if path.startswith(("/", ".")) and not (Path(path) / "config.json").is_file():
        raise ConfigError(
            f"{setting} = {path!r}: no model is there (config.json is missing).",
            fix="give a model directory, a hub id, or 'seed'",
        )
