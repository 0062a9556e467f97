"""Every online method at max_staleness 16: its tiny recipe, held-out gains with intervals.

    python benchmarks/old_data.py [--methods grpo ppo] [--seeds 0 1 2] [--out DIR] [--write-docs]

All with one learning rate, a third of that of most tiny recipes: the older the data, the smaller
the steps that it allows. An interval is that of the mean gain over the seeds (Student's t).
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from docs_section import machine, write_section
from methods import ONLINE, changes, verdict
from sweep import Outcome, interval, run

LEARNING_RATE = "1e-4"
MAX_STALENESS = 16
STEPS = 40


def main() -> None:
    options = parse()
    started_s = time.monotonic()
    results: dict[str, list[Outcome]] = {}
    if "unit_ppo" in options.methods:
        for seed in options.seeds:
            run("unit_rm-tiny", options.out / f"unit_rm-{seed}", [f"seed={seed}"], up=False)
    for method in options.methods:
        for seed in options.seeds:
            run_dir = options.out / f"{method}-{seed}"
            found = run(f"{method}-tiny", run_dir, settings(method, seed, options.out), up=True)
            results.setdefault(method, []).append(found)
            print(f"{method} seed {seed}: {found.gain:+.3f}", flush=True)
    minutes = (time.monotonic() - started_s) / 60
    seeds = ", ".join(map(str, options.seeds))
    text = f"{table(results)}\n\n{machine()}; seeds {seeds}; {minutes:.0f} minutes."
    print(f"\n{text}")
    if options.write_docs:
        write_section("old-data", text)
    raise SystemExit(verdict(results))


def settings(method: str, seed: int, out: Path) -> list[str]:
    return [
        f"seed={seed}",
        f"pipeline.max_staleness={MAX_STALENESS}",
        f"method.learning_rate={LEARNING_RATE}",
        f"budget.steps={STEPS}",
        *changes(method, seed, out),
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--methods", nargs="+", default=ONLINE)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/bench-old-data"))
    parser.add_argument("--write-docs", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def table(results: Mapping[str, Sequence[Outcome]]) -> str:
    lines = [
        "| method | mean staleness | oldest | before | after | gain (95 %) | wall time |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, outcomes in results.items():
        staleness = [one.summary["staleness"] for one in outcomes]
        mean = statistics.fmean(one["mean"] for one in staleness)
        oldest = max(one["max"] for one in staleness)
        before = statistics.fmean(one.before for one in outcomes)
        after = statistics.fmean(one.after for one in outcomes)
        wall_s = statistics.fmean(one.summary["wall_s"] for one in outcomes)
        gained = interval([one.gain for one in outcomes])
        lines.append(
            f"| {method} | {mean:.1f} | {oldest:.0f} | {before:.3f} | {after:.3f} | {gained} "
            f"| {wall_s:.0f} s |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
