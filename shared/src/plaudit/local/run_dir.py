"""Run directories: made whole or not at all, listed, resumed."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plaudit.config.recipe import dump_recipe, load_any_recipe
from plaudit.errors import ConfigError
from plaudit.local.kept_files import keep_copies
from plaudit.report.files import read_summary
from plaudit.schemas.recipe import RunRecipe
from plaudit.schemas.run import OfflineSummary, Summary

LATEST = "latest"
PIPELINE_RECORD = "pipeline.json"
_RECORD = "run.json"
_PROGRESS = ("metrics.jsonl", "groups.jsonl", "checkpoints/step-*", "eval_before.json")


@dataclass(frozen=True)
class Run:
    """One run as its directory tells it."""

    path: Path
    run_id: str
    created_at: str

    @property
    def summary(self) -> Summary | OfflineSummary | None:
        return read_summary(self.path)

    @property
    def log_dir(self) -> Path:
        return self.path / "logs"

    def recipe(self) -> RunRecipe:
        return load_any_recipe(self.path / "recipe.toml")

    def has_progress(self) -> bool:
        """Whether anything was computed that a resumed run would go on from."""
        return any(any(self.path.glob(pattern)) for pattern in _PROGRESS)


def new_run_path(recipe_name: str, runs_dir: Path) -> Path:
    """`<runs dir>/<recipe>-<UTC time>`, told apart by a number within one second."""
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = runs_dir / f"{recipe_name}-{time}"
    index = 2
    while path.exists():
        path = runs_dir / f"{recipe_name}-{time}-{index}"
        index += 1
    return path


def check_new(path: Path) -> None:
    """Raises ConfigError when a run cannot be made there: something is there, or may not be."""
    if os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(
            f"--run-dir {path}: exists already.",
            fix=f"choose another directory, or go on with that run: plaudit train --resume {path}",
        )
    place = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        reason = "may not be written to" if place.is_dir() else "is not a directory"
        raise ConfigError(
            f"--run-dir {path}: {place} {reason}.",
            fix="choose another directory with --run-dir or --runs-dir",
        )


def create_run(path: Path, recipe: RunRecipe, argv: Sequence[str]) -> Run:
    """Writes recipe.toml, run.json and copies of the files that the recipe names.

    Raises ConfigError when `path` exists or cannot be written.
    """
    check_new(path)
    path = path.absolute()
    run = Run(path, _run_id(path), datetime.now(UTC).isoformat(timespec="seconds"))
    record = {"run_id": run.run_id, "created_at": run.created_at, "argv": list(argv)}
    with whole_directory(path) as half:
        (half / "recipe.toml").write_text(dump_recipe(recipe), encoding="utf-8")
        keep_copies(recipe, half)
        (half / _RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
    return run


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """What is written into the yielded directory becomes `path`. Raises ConfigError."""
    half = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        half.mkdir(parents=True)
        yield half
        half.replace(path)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        raise ConfigError(
            f"--run-dir {path}: cannot be written: {error.strerror}.",
            fix="free some space there, or choose another directory",
        ) from error


def _run_id(path: Path) -> str:
    """The directory's name; that of a pipeline's stage, such as `sft`, is many runs' name."""
    is_stage = (path.parent / PIPELINE_RECORD).is_file()
    return f"{path.parent.name}.{path.name}" if is_stage else path.name


def open_run(name: str, runs_dir: Path) -> Run:
    """A run by its directory or by its name in `runs_dir`. Raises ConfigError when it is none."""
    for path in (Path(name), runs_dir / name):
        if (path / "recipe.toml").is_file() and (run := _read(path.resolve())) is not None:
            return run
    known = ", ".join(run.path.name for run in list_runs(runs_dir)[:5])
    raise ConfigError(
        f"{name!r} is not a run: neither {Path(name).absolute()} nor {runs_dir / name} has a "
        "recipe.toml and a run.json.",
        fix=f"choose one of: {known}" if known else f"there is no run in {runs_dir.absolute()} yet",
    )


def list_runs(runs_dir: Path) -> list[Run]:
    """The newest first."""
    found = [
        run
        for path in (runs_dir.iterdir() if runs_dir.is_dir() else [])
        if not path.is_symlink() and path.is_dir() and (run := _read(path)) is not None
    ]
    return sorted(found, key=lambda run: run.created_at, reverse=True)


def point_latest_at(run: Run) -> None:
    """`latest` beside the run. Something else of that name is left alone."""
    link = run.path.parent / LATEST
    if link.exists() and not link.is_symlink():
        return
    half = link.with_name(f".{LATEST}.{os.getpid()}.tmp")
    with suppress(OSError):
        half.unlink(missing_ok=True)
        half.symlink_to(run.path.name)
        half.replace(link)


def latest_target(runs_dir: Path) -> str | None:
    """What `latest` points at, whether that is there or not."""
    link = runs_dir / LATEST
    return os.readlink(link) if link.is_symlink() else None


def restore_latest(runs_dir: Path, target: str | None) -> None:
    """Undoes `point_latest_at` of a run that is gone: `latest` points at `target` again."""
    link = runs_dir / LATEST
    if link.is_symlink() and not link.exists():
        link.unlink()
        if target is not None:
            link.symlink_to(target)


def _read(path: Path) -> Run | None:
    try:
        record = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        return Run(path, str(record["run_id"]), str(record.get("created_at", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
