"""The cells of overlap.py: one way of training at one latency, run and measured."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, quantiles

from local_up import BIN, Services
from overlap_cpu import CpuClock

SYNC, ASYNC, TRL = "Plaudit, synchronous", "Plaudit, asynchronous", "TRL GRPOTrainer"
WAYS = (SYNC, ASYNC, TRL)
GROUPS_PER_STEP = 16
NUM_GENERATIONS = 8
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Cell:
    """`num_steps` are measured, after the pipeline has filled."""

    way: str
    latency_s: float
    max_staleness: int
    num_steps: int

    @property
    def first(self) -> int:
        """The step that ends as the measurement begins."""
        return self.max_staleness + 3

    @property
    def last(self) -> int:
        return self.first + self.num_steps

    @property
    def budget(self) -> int:
        """More than the last measured step, since the very last ones find all groups there."""
        return self.last + self.max_staleness + 1

    @property
    def name(self) -> str:
        return f"{WAYS.index(self.way)}-{self.latency_s:g}s".replace(".", "_")


@dataclass(frozen=True)
class Figures:
    """In the steady state. `wait_s` and `work_s`: the learner's, of a step; 0 where not told."""

    groups_per_s: float
    quartiles_s: tuple[float, float]
    """Of the time of a step."""
    cpu_per_group_s: float
    """Of all processes: services, engine, conductor and learner."""
    wait_s: float = 0.0
    work_s: float = 0.0
    staleness: float = 0.0


Results = dict[tuple[str, float], Figures]
"""By way and latency."""


def measure(cell: Cell, on: Services, directory: Path) -> Figures:
    """A TRL cell takes the recipe of the synchronous one of its latency, which must be there."""
    if cell.way == TRL:
        run_dir = directory / replace(cell, way=SYNC).name
        output = directory / f"{cell.name}.json"
        script = str(Path(__file__).with_name("overlap_trl.py"))
        command = [sys.executable, script, str(run_dir), on.engine_url, str(output)]
        clock = _run(cell, on, directory, command)
        return _speed(cell, json.loads(output.read_text())["times"], clock)
    run_dir = directory / cell.name
    clock = _run(cell, on, directory, _train_command(cell, run_dir))
    return _figures(cell, run_dir, clock)


def _train_command(cell: Cell, run_dir: Path) -> list[str]:
    overrides = {
        "pipeline.reward_delay_s": cell.latency_s,
        "pipeline.max_staleness": cell.max_staleness,
        "pipeline.groups_per_step": GROUPS_PER_STEP,
        "method.num_generations": NUM_GENERATIONS,
        # The weights change in every step, but not what they answer: all cells do equal work.
        "method.learning_rate": 1e-6,
        "budget.steps": cell.budget,
        # TRL writes none; ours writes one before and one after what is measured.
        "budget.checkpoint_every_steps": cell.budget,
        "eval.num_prompts": 0,
    }
    sets = [text for key, value in overrides.items() for text in ("--set", f"{key}={value}")]
    return [str(BIN / "plaudit"), "train", "demo", "-q", "--run-dir", str(run_dir), *sets]


def _run(cell: Cell, on: Services, directory: Path, command: list[str]) -> CpuClock:
    log_path = directory / f"{cell.name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=on.env, stdout=log, stderr=log)
        try:
            with CpuClock([on.pid, process.pid]) as clock:
                code = process.wait(TIMEOUT_S)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)
    if code != 0:
        tail = log_path.read_text(errors="replace")[-3000:]
        raise SystemExit(f"{cell.way} at {cell.latency_s:g} s failed ({code}):\n{tail}")
    return clock


def _figures(cell: Cell, run_dir: Path, clock: CpuClock) -> Figures:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    measured = lines[cell.first : cell.last]
    wait_s = fmean(line["time_s"]["wait"] for line in measured)
    return replace(
        _speed(cell, [line["time"] for line in lines], clock),
        wait_s=wait_s,
        work_s=fmean(line["step_s"] for line in measured) - wait_s,
        staleness=fmean(line["staleness"]["mean"] for line in measured),
    )


def _speed(cell: Cell, step_ends_s: Sequence[float], clock: CpuClock) -> Figures:
    """`step_ends_s[i]` is the end of step i + 1."""
    ends_s = step_ends_s[cell.first - 1 : cell.last]
    low_s, _, high_s = quantiles([after - before for before, after in pairwise(ends_s)], n=4)
    num_groups = GROUPS_PER_STEP * cell.num_steps
    return Figures(
        groups_per_s=num_groups / (ends_s[-1] - ends_s[0]),
        quartiles_s=(low_s, high_s),
        cpu_per_group_s=clock.spent_s(ends_s[0], ends_s[-1]) / num_groups,
    )
