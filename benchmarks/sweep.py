"""Runs of `plaudit train`, one for each cell of a table; what is finished is not run again."""

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLAUDIT = Path(sys.executable).parent / "plaudit"
T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t for a 95 % interval, by degrees of freedom."""


@dataclass(frozen=True)
class Outcome:
    """Of one finished run: its summary, and its metrics line by line."""

    summary: dict[str, Any]
    metrics: list[dict[str, Any]]

    @property
    def metric(self) -> str:
        return str(self.summary.get("metric", "accuracy"))

    @property
    def before(self) -> float:
        return float(self.summary[self._key("before")])

    @property
    def after(self) -> float:
        return float(self.summary[self._key("after")])

    @property
    def gain(self) -> float:
        return float(self.summary[self._key("gain")])

    def _key(self, name: str) -> str:
        return name if name in self.summary else f"accuracy_{name}"


def run(recipe: str, run_dir: Path, changes: Sequence[str], *, up: bool) -> Outcome:
    """Raises SystemExit with the run's own words when it fails."""
    if not (run_dir / "summary.json").is_file():
        command = [str(PLAUDIT), "train", recipe, "--run-dir", str(run_dir), "--quiet"]
        command += ["--up"] if up else []
        command += [part for change in changes for part in ("--set", change)]
        if run_dir.exists():
            command = [str(PLAUDIT), "train", "--resume", str(run_dir), "--quiet"]
            command += ["--up"] if up else []
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise SystemExit(f"{' '.join(command)}\n{found.stdout}\n{found.stderr}")
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    summary = json.loads((run_dir / "summary.json").read_text())
    return Outcome(summary, [json.loads(line) for line in lines])


def mean_ci95(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean over seeds and the half-width of its interval; None for one seed."""
    if len(values) < 2:
        return values[0], None
    half = T_95[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), half


def interval(values: Sequence[float]) -> str:
    mean, half = mean_ci95(values)
    return (
        f"{mean:+.3f}"
        if half is None
        else f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"
    )
