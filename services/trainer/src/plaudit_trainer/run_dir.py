"""The files of a run directory."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from plaudit.config.recipe import load_offline_recipe, load_recipe
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import OfflineRecipe, Recipe
from plaudit_trainer.learner import disk


class RunDir:
    """`path` holds recipe.toml and run.json, written by `plaudit train` before anything starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "recipe.toml").is_file():
            raise ConfigError(
                f"--run-dir {path}: no recipe.toml there.", fix="start the run with `plaudit train`"
            )

    @property
    def run_id(self) -> str:
        record = json.loads((self.path / "run.json").read_text())
        return str(record["run_id"])

    def recipe(self) -> Recipe:
        return load_recipe(self.path / "recipe.toml", [])

    def offline_recipe(self) -> OfflineRecipe:
        return load_offline_recipe(self.path / "recipe.toml")

    def policy_manifest(self, version: int) -> Path:
        return self.path / "policies" / f"v{version:06d}" / "manifest.json"

    def write_json(self, name: str, value: Any) -> None:
        """Write whole or not at all. Raises ConfigError when the disk refuses."""
        target = self.path / name
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        with disk.writing(name, self.path):
            try:
                temporary.write_text(json.dumps(value, indent=2))
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def append_jsonl(self, name: str, records: Iterable[dict[str, Any]]) -> None:
        """After a line that a crash cut short, if need be. Raises ConfigError as `write_json`."""
        lines = "".join(json.dumps(record) + "\n" for record in records)
        if not lines:
            return
        with disk.writing(name, self.path), (self.path / name).open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else "\n" + lines
            file.write(lines.encode())

    def read_json(self, name: str) -> Any | None:
        path = self.path / name
        return json.loads(path.read_text()) if path.is_file() else None

    def read_jsonl(self, name: str) -> Iterator[dict[str, Any]]:
        """Whole records only: a line cut short by a crash is left out, wherever it is."""
        path = self.path / name
        if not path.is_file():
            return
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if (record := _parse(line)) is not None:
                    yield record


def _parse(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record if line.endswith("\n") and isinstance(record, dict) else None
