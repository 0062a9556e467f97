"""The `plaudit train` that a stage is."""

import sys
from dataclasses import dataclass
from pathlib import Path

from plaudit.config.toml import value_text
from plaudit.pipeline.file import settings_of
from plaudit.pipeline.references import Place, filled
from plaudit.schemas.pipeline import Stage

_EVALUATE = (
    "budget.steps=0", "learner.num_processes=1", "learner.strategy=ddp", "learner.deepspeed=",
)  # fmt: skip
"""One process publishes the model as it is."""


@dataclass(frozen=True)
class StageOptions:
    """What the command line says about every stage."""

    up: bool = False
    num_replicas: int = 1
    quiet: bool = False

    def arguments(self) -> tuple[str, ...]:
        up = ("--up", "--replicas", str(self.num_replicas)) if self.up else ()
        return (*up, *(("--quiet",) if self.quiet else ()))


def overrides(stage: Stage, place: Place) -> list[str]:
    """As `--set` reads them: TOML values, so that a text stays a text."""
    named = [
        f"{name}={value_text(filled(value, place), (name,))}" for name, value in settings_of(stage)
    ]
    return [*named, *(_EVALUATE if stage.kind == "evaluate" else ())]


def stage_env(stage: Stage, place: Place) -> dict[str, str]:
    return {name: filled(value, place) for name, value in stage.env.items()}


def start_command(stage: Stage, run_dir: Path, place: Place, options: StageOptions) -> list[str]:
    """A new run in `run_dir`; one that began there is resumed."""
    if (run_dir / "run.json").is_file():
        return _plaudit("train", "--resume", str(run_dir), *options.arguments())
    return _plaudit(
        "train", stage.recipe, *_set(stage, place), "--run-dir", str(run_dir), *options.arguments()
    )


def dry_run_command(stage: Stage, place: Place, options: StageOptions) -> list[str]:
    return _plaudit("train", stage.recipe, *_set(stage, place), "--dry-run", *options.arguments())


def _set(stage: Stage, place: Place) -> list[str]:
    return [word for override in overrides(stage, place) for word in ("--set", override)]


def _plaudit(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "plaudit.cli", *arguments]
