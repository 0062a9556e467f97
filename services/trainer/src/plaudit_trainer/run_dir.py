"""The files of a run directory."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from plaudit.config.recipe import load_recipe
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe


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

    def policy_manifest(self, version: int) -> Path:
        return self.path / "policies" / f"v{version:06d}" / "manifest.json"

    def write_json(self, name: str, value: Any) -> None:
        """Write whole or not at all."""
        target = self.path / name
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(value, indent=2))
        temporary.replace(target)

    def append_jsonl(self, name: str, records: Iterable[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(record) + "\n" for record in records)
        if lines:
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(lines)

    def read_json(self, name: str) -> Any | None:
        path = self.path / name
        return json.loads(path.read_text()) if path.is_file() else None

    def read_jsonl(self, name: str) -> Iterator[dict[str, Any]]:
        """Whole lines only: a line cut short by a crash is left out."""
        path = self.path / name
        if not path.is_file():
            return
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)
