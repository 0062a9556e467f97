"""Every tracker that a recipe asks for, behind one call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe.run import RunRecipe
from plaudit.telemetry import get_logger
from plaudit_trainer.tracking.flatten import flatten
from plaudit_trainer.tracking.sinks import Sink, TensorBoardSink, TrackioSink, WandbSink

log = get_logger(__name__)


@dataclass
class Tracker:
    """A sink that fails is left out from then on: no run dies of its curves."""

    sinks: dict[str, Sink] = field(default_factory=dict)

    def log(self, step: int, line: Mapping[str, Any]) -> None:
        figures = flatten(line)
        for name, sink in list(self.sinks.items()):
            self._try(name, partial(sink.log, step, figures))

    def close(self) -> None:
        for name, sink in list(self.sinks.items()):
            self._try(name, sink.close)

    def _try(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # why: these libraries raise whatever their servers make them
            del self.sinks[name]
            log.warning("tracker_lost", tracker=name, reason=f"{type(error).__name__}: {error}")


def open_tracker(recipe: RunRecipe, run_dir: Path, run_id: str, last_step: int = 0) -> Tracker:
    """`last_step`: of the checkpoint that a resumed run goes on from.

    Raises ConfigError for a tracker whose package is missing or that cannot start.
    """
    wanted = recipe.tracking
    config = recipe.model_dump(mode="json")
    tracker = Tracker()
    if wanted.tensorboard:
        start = partial(TensorBoardSink, run_dir / "tensorboard", last_step)
        tracker.sinks["tensorboard"] = _opened("tensorboard", start)
    if wanted.wandb is not None:
        start_wandb = partial(WandbSink, wanted.wandb, run_dir, run_id, config)
        tracker.sinks["wandb"] = _opened("wandb", start_wandb)
    if wanted.trackio is not None:
        start_trackio = partial(TrackioSink, wanted.trackio, run_dir, run_id, config)
        tracker.sinks["trackio"] = _opened("trackio", start_trackio)
    return tracker


def _opened(name: str, start: Callable[[], Sink]) -> Sink:
    try:
        return start()
    except ImportError as error:
        raise ConfigError(
            f"tracking.{name}: the package {name} is not installed ({error}).",
            fix="pip install 'plaudit-trainer[tracking]', or leave that tracker out",
        ) from error
    except Exception as error:  # why: each library has errors of its own for keys and networks
        raise ConfigError(
            f"tracking.{name}: it cannot start ({type(error).__name__}: {str(error)[:300]}).",
            fix="give its key and network, choose its offline mode, or leave it out",
        ) from error
