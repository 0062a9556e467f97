"""Build the seed once and find it again by the hash of everything that it depends on."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from plaudit_trainer.seed.dataset import make_dataset, write_rows
from plaudit_trainer.seed.examples import write_examples
from plaudit_trainer.seed.settings import TASKS, SeedSettings, Task

Progress = Callable[[str, float], None]
LIBRARIES = ("torch", "transformers", "tokenizers")


@dataclass(frozen=True)
class SeedPaths:
    """Where a finished seed lies; `fingerprint` names its content."""

    model_dir: Path
    train_path: Path
    eval_path: Path
    fingerprint: str


def build_seed(
    cache_dir: Path,
    *,
    seed: int = 0,
    task: Task = "demo",
    progress: Progress | None = None,
    settings: SeedSettings | None = None,
) -> SeedPaths:
    """Return the seed for `seed` from the cache, building it (about a minute) when it is not there.

    `settings` replaces the recipe of the task; `seed` goes over its seed. `progress` is told the
    stage and how much of it is done, from 0 to 1.
    """
    chosen = (settings or TASKS[task]).model_copy(update={"seed": seed})
    paths = _paths(cache_dir, fingerprint(chosen))
    target = paths.model_dir.parent
    if not target.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".building-") as scratch:
            _build(_paths_in(Path(scratch) / "seed", paths.fingerprint), chosen, progress)
            _move(Path(scratch) / "seed", target)
    return paths


def fingerprint(settings: SeedSettings) -> str:
    """A hash of the settings, of this package's source and of the libraries that decide weights."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library}={version(library)}\n".encode())
    return digest.hexdigest()[:16]


def _paths(cache_dir: Path, name: str) -> SeedPaths:
    return _paths_in(cache_dir / f"seed-{name}", name)


def _paths_in(directory: Path, name: str) -> SeedPaths:
    data_dir = directory / "data"
    return SeedPaths(directory / "model", data_dir / "train.jsonl", data_dir / "eval.jsonl", name)


def _build(paths: SeedPaths, settings: SeedSettings, progress: Progress | None) -> None:
    report = progress or (lambda stage, fraction: None)
    report("data", 0.0)
    dataset = make_dataset(settings)
    for problems, path in (
        (dataset.train, paths.train_path),
        (dataset.evaluation, paths.eval_path),
    ):
        write_rows(problems, path)
        write_examples(problems, path, settings.seed)
    report("data", 1.0)
    report("model", 0.0)
    # Here and not above, because it takes seconds and a finished seed does not need it.
    from plaudit_trainer.seed.model import build_model

    build_model(dataset.warmup, settings, paths.model_dir, lambda part: report("model", part))


def _move(source: Path, target: Path) -> None:
    """Rename into place; when another process was faster, its equal seed is kept."""
    try:
        os.rename(source, target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(source)
