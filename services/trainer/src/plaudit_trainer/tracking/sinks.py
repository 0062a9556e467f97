"""The services and files that metrics are sent to. Their packages are loaded when they are used.

None of them decides anything: metrics.jsonl holds what a run resumes and reports from.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from plaudit.schemas.recipe.tracking import TrackioRecipe, WandbRecipe


class Sink(Protocol):
    def log(self, step: int, figures: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class TensorBoardSink:
    """A resumed run hides what it wrote after `last_step`, which it does again."""

    def __init__(self, directory: Path, last_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = last_step + 1 if last_step else None
        # Any: torch leaves the writer untyped.
        self._writer: Any = SummaryWriter(str(directory), purge_step=purge)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WandbSink:
    """A resumed run goes on as the same one there, by its id."""

    def __init__(
        self, recipe: WandbRecipe, directory: Path, run_id: str, config: Mapping[str, Any]
    ) -> None:
        import wandb

        self._run: Any = wandb.init(
            project=recipe.project,
            entity=recipe.entity,
            group=recipe.group,
            mode=recipe.mode,
            id=run_id,
            name=run_id,
            resume="allow",
            dir=str(directory),
            config=dict(config),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


class TrackioSink:
    def __init__(
        self, recipe: TrackioRecipe, directory: Path, run_id: str, config: Mapping[str, Any]
    ) -> None:
        os.environ.setdefault("TRACKIO_DIR", str(directory / "trackio"))
        import trackio

        self._run: Any = trackio.init(
            project=recipe.project, name=run_id, config=dict(config), resume="allow", embed=False
        )

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()
