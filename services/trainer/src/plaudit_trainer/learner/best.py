"""Which checkpoint is the best, by a figure of the steps that led to it."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plaudit.errors import ConfigError
from plaudit_trainer.tracking.flatten import flatten


@dataclass
class BestBy:
    """`figure` is named as trackers name it: reward, rewards/accuracy/mean, eval/accuracy."""

    figure: str | None
    _values: list[float] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def note(self, line: Mapping[str, Any]) -> None:
        """A step's line of metrics."""
        if self.figure is None:
            return
        figures = flatten(line)
        self._seen |= figures.keys()
        if self.figure in figures:
            self._values.append(figures[self.figure])

    def drain(self) -> float | None:
        """The mean since the last checkpoint; None where there is none to go by.

        Raises ConfigError where the steps have figures and none of that name.
        """
        values, self._values = self._values, []
        if self.figure is None:
            return None
        if not values and self._seen and self.figure not in self._seen:
            raise ConfigError(
                f"budget.best_by = {self.figure!r}: no step has such a figure.",
                fix=f"name one of {', '.join(sorted(self._seen))}",
            )
        mean = statistics.fmean(values) if values else math.nan
        return mean if math.isfinite(mean) else None
