"""Overhead of the whole path: queue, HTTP, scoring, joining, ledger; no generation, no training.

    python benchmarks/pipeline.py [--groups 3000]
    python benchmarks/pipeline.py --groups 20000     # for the memory of the conductor

Groups of 8 completions of 256 tokens with log-probabilities, scored by the rewards `format` and
`length` (which needs `accuracy`). Everything between the engine and the learner is real and runs
as in `plaudit train`: Redis with its append-only file, rollout API and worker, reward API and
worker, conductor. The engine answers at once from bodies made before; the learner takes groups,
commits steps and publishes versions, and does not train. CPU is counted per process by the kernel.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from docs_section import machine, write_section
from pipeline_learner import StandInLearner
from pipeline_limit import Limit
from pipeline_limit import measure as measure_limit
from pipeline_services import CONDUCTOR, ENGINE, LOG_NAME, Services, services

from plaudit.local.run_dir import create_run
from plaudit.schemas.recipe import (
    BudgetRecipe,
    DataRecipe,
    EvalRecipe,
    MethodRecipe,
    PipelineRecipe,
    Recipe,
    RewardRecipe,
)

GROUPS_PER_STEP = 32
MAX_STALENESS = 7
WARM_UP_STEPS = 16
GROUPS_PER_SAMPLE = 2000
SETTLED_AFTER_GROUPS = 10_000
"""Before it the allocator is still finding its size, and growth says nothing."""
NUM_ROWS = 1000
MAX_CPU_MS, MIN_GROUPS_PER_S = 10.0, 150.0
END_TIMEOUT_S = 60.0
LEARNER = "stand-in learner"
STAND_INS = (ENGINE, LEARNER)


@dataclass
class Measurement:
    """Takes its readings between steps."""

    on: Services
    num_steps: int
    started_s: float = 0.0
    wall_s: float = 0.0
    before_s: Mapping[str, float] = field(default_factory=dict)
    used_s: Mapping[str, float] = field(default_factory=dict)
    rss_mib: list[tuple[int, float]] = field(default_factory=list)
    """Groups trained and the conductor's resident memory then."""

    def after_step(self, step: int) -> None:
        measured = step - WARM_UP_STEPS
        if measured == 0:
            self.started_s, self.before_s = time.monotonic(), self._cpu_s()
        if measured == self.num_steps:
            self.wall_s = time.monotonic() - self.started_s
            self.used_s = {name: s - self.before_s[name] for name, s in self._cpu_s().items()}
        num_groups = measured * GROUPS_PER_STEP
        if 0 <= measured <= self.num_steps and num_groups // GROUPS_PER_SAMPLE >= len(self.rss_mib):
            self.rss_mib.append((num_groups, self.on.rss_mib(CONDUCTOR)))

    def _cpu_s(self) -> dict[str, float]:
        return self.on.cpu_s() | {LEARNER: time.process_time()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--groups", type=int, default=3000)
    parser.add_argument("--write-docs", action="store_true")
    options = parser.parse_args()
    num_steps = -(-options.groups // GROUPS_PER_STEP)
    with tempfile.TemporaryDirectory(prefix="plaudit-bench-") as name:
        directory = Path(name)
        try:
            measurement, group = run(directory, num_steps)
        except SystemExit:
            print((directory / LOG_NAME).read_text(errors="replace")[-3000:], file=sys.stderr)
            raise
    text = report(measurement, measure_limit(group))
    print(text)
    if options.write_docs:
        write_section("pipeline", f"{machine()}.\n\n```text\n{text}\n```")


def run(directory: Path, num_steps: int) -> tuple[Measurement, bytes]:
    """The measurement, and one group as it goes to the learner."""
    # More steps than are measured: in the last ones nothing is admitted any more.
    recipe = make_recipe(directory, WARM_UP_STEPS + num_steps + MAX_STALENESS + 1)
    run_dir = create_run(directory / "run", recipe, argv=[]).path
    with services(directory, run_dir) as on, ExitStack() as stack:
        learner = StandInLearner(run_dir, recipe, on.rollout_url, on.redis_url, stack)
        learner.publish(0)
        measurement = Measurement(on, num_steps)
        learner.train(measurement.after_step)
        check_ledger(run_dir, recipe)
        assert learner.last_group is not None
        return measurement, learner.last_group.model_dump_json().encode()


def check_ledger(run_dir: Path, recipe: Recipe) -> None:
    """The conductor itself says so at the end of the run."""
    deadline_s = time.monotonic() + END_TIMEOUT_S
    while not (summary := run_dir / "summary.json").is_file():
        if time.monotonic() > deadline_s:
            raise SystemExit("the conductor did not finish the run")
        time.sleep(0.1)
    ledger = json.loads(summary.read_text())["ledger"]
    num_groups = recipe.budget.steps * GROUPS_PER_STEP
    assert ledger == {"admitted": num_groups, "trained": num_groups, "dropped": {}, "in_flight": 0}


def make_recipe(directory: Path, num_steps: int) -> Recipe:
    rows = directory / "rows.jsonl"
    rows.write_text("".join(json.dumps(row(index)) + "\n" for index in range(NUM_ROWS)))
    return Recipe(
        name="bench",
        data=DataRecipe(train=str(rows), eval=None),
        rewards=[RewardRecipe(name="format"), RewardRecipe(name="length")],
        method=MethodRecipe(),
        pipeline=PipelineRecipe(groups_per_step=GROUPS_PER_STEP, max_staleness=MAX_STALENESS),
        budget=BudgetRecipe(steps=num_steps),
        eval=EvalRecipe(num_prompts=0),
    )


def row(index: int) -> dict[str, object]:
    content = f"What is the last digit of {index}? Think, then give the answer in a box."
    prompt = [{"role": "user", "content": content}]
    return {
        "id": str(index), "kind": "math", "prompt": prompt, "reference": {"answer": str(index % 10)}
    }  # fmt: skip


def report(measured: Measurement, limit: Limit) -> str:
    num_groups = measured.num_steps * GROUPS_PER_STEP
    ms = {name: 1000 * used_s / num_groups for name, used_s in measured.used_s.items()}
    ours = {name: value for name, value in ms.items() if name not in STAND_INS}
    total_ms, groups_per_s = sum(ours.values()), num_groups / measured.wall_s
    ratio = total_ms / limit.cpu_ms
    lines = [
        f"{num_groups} groups of {limit.num_bytes} bytes; load average {os.getloadavg()[0]:.1f}",
        "",
        f"{'groups/s':24}{groups_per_s:8.1f}   at least {MIN_GROUPS_PER_S:g}",
        f"{'CPU ms/group':24}{total_ms:8.2f}   below {MAX_CPU_MS:g}",
        *(f"  {name:22}{value:8.2f}" for name, value in ours.items()),
        "not counted",
        *(f"  {name:22}{ms[name]:8.2f}" for name in STAND_INS),
        "",
        "limit: the same bytes once through JSON, HTTP and Redis",
        f"{'groups/s':24}{limit.groups_per_s:8.1f}",
        f"{'CPU ms/group':24}{limit.cpu_ms:8.2f}   the path: {ratio:.1f} times it",
        "",
        "resident memory of the conductor after so many groups",
        *(f"{number:24}{mib:8.1f} MiB" for number, mib in measured.rss_mib),
    ]
    if num_groups >= SETTLED_AFTER_GROUPS:
        lines.append(f"{'over the second half':24}{second_half_mib(measured.rss_mib):+8.1f} MiB")
    return "\n".join(lines)


def second_half_mib(rss_mib: Sequence[tuple[int, float]]) -> float:
    """By how much it grew."""
    return rss_mib[-1][1] - rss_mib[(len(rss_mib) - 1) // 2][1]


if __name__ == "__main__":
    main()
