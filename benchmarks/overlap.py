"""A slow reward costs nothing: groups per second while the reward's latency grows, in three ways.

    python benchmarks/overlap.py [--latencies 0 0.3 1 3] [--steps 30] [--write-docs]

The demo recipe (rules, sandbox, self-judge), 16 groups of 8 completions a step, with
`pipeline.reward_delay_s` on every reward call:

- Plaudit, synchronous: `max_staleness = 0`;
- Plaudit, asynchronous: `max_staleness` large enough for the latency to be hidden;
- TRL: stock GRPOTrainer with an async reward function of the same latency, which asks the same
  services for the same rewards, on the same vLLM (overlap_trl.py says what is done for it).

One `plaudit up` serves all cells, one after the other; all train with as many threads and at a
learning rate that changes the weights but not the answers, so that every step is as much work.
A cell's first steps, in which the pipeline fills, are left out, and so are its last ones, which
find all their groups there. The asynchronous cells measure twice the steps: theirs vary more.

The limit beside them is the smaller of two: training that never waits, with the machine to itself
(the learner's own time in the synchronous run at 0 s), and cores that never idle (the smallest CPU
time a group that Plaudit took at 0 s, of all processes together).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from docs_section import machine, write_section
from local_up import services
from overlap_cells import ASYNC, SYNC, TRL, Cell, Figures, Results, measure
from overlap_report import bars_svg, markdown, summary

BAR = 0.9
"""Plaudit asynchronous at 1 s keeps at least this share of its own throughput at 0 s."""
BAR_LATENCY_S = 1.0
PLOT = "overlap.svg"


def main() -> None:
    options = parse()
    started_s = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="plaudit-overlap-"))
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}; runs and logs: {directory}", flush=True)
    results: Results = {}
    with services(directory) as on:
        for cell in cells(options.latencies, options.steps, options.max_staleness):
            results[cell.way, cell.latency_s] = figures = measure(cell, on, directory)
            print(line(cell, figures), flush=True)
    minutes = (time.monotonic() - started_s) / 60
    text = f"{markdown(results)}\n\n{summary(results)}"
    made_by = (
        f"{machine()}; `max_staleness = {options.max_staleness}`; {options.steps} measured steps "
        f"a cell, twice as many in the asynchronous ones; {minutes:.0f} minutes in all."
    )
    print(f"\n{text}\n\n{made_by}")
    if options.write_docs:
        text += f"\n\n![groups per second by latency]({PLOT})\n\n{made_by}"
        write_section("overlap", text, {PLOT: bars_svg(results)})
    raise SystemExit(verdict(results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--latencies", type=float, nargs="+", default=[0.0, 0.3, 1.0, 3.0])
    parser.add_argument("--steps", type=int, default=30, help="measured; asynchronous: twice")
    parser.add_argument("--max-staleness", type=int, default=10, help="of the asynchronous way")
    parser.add_argument("--write-docs", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def cells(latencies: Sequence[float], steps: int, max_staleness: int) -> list[Cell]:
    """By latency, so that whatever drifts on the machine does not set one way apart."""
    return [
        cell
        for latency_s in latencies
        for cell in (
            Cell(SYNC, latency_s, 0, steps),
            Cell(ASYNC, latency_s, max_staleness, 2 * steps),
            Cell(TRL, latency_s, 0, steps),
        )
    ]


def line(cell: Cell, figures: Figures) -> str:
    low_s, high_s = figures.quartiles_s
    stages = (
        f"; learner waits {figures.wait_s:.2f} s and works {figures.work_s:.2f} s a step, "
        f"staleness {figures.staleness:.1f}"
    )
    return (
        f"{cell.latency_s:4g} s  {cell.way:22} {figures.groups_per_s:6.2f} groups/s  "
        f"(half of the steps take {low_s:.2f} to {high_s:.2f} s; "
        f"CPU {figures.cpu_per_group_s * 1000:.0f} ms a group"
        f"{'' if cell.way == TRL else stages})"
    )


def verdict(results: Results) -> int:
    """1 when the bar is missed; latencies that were not run are no failure."""
    slow, own = results.get((ASYNC, BAR_LATENCY_S)), results.get((ASYNC, 0.0))
    if slow is None or own is None:
        return 0
    kept = slow.groups_per_s / own.groups_per_s
    print(f"asynchronous at {BAR_LATENCY_S:g} s keeps {kept:.0%} of its own 0 s (bar {BAR:.0%})")
    return 0 if kept >= BAR else 1


if __name__ == "__main__":
    main()
