"""What staleness costs: held-out accuracy of GRPO by max_staleness, with and without correction.

    python benchmarks/staleness.py [--staleness 0 2 8 16] [--seeds 0 1 2] [--out DIR] [--write-docs]

Corrected: truncated importance sampling per token over the learner's own proximal policy
(decoupled PPO). Uncorrected: neither. The queue is kept full, so that groups are as old as allowed.
"""

import argparse
import statistics
import time
from pathlib import Path

from docs_section import machine, write_section
from sweep import Outcome, mean_ci95, run

WAYS = {
    "corrected": ["method.importance_sampling.level=token"],
    "uncorrected": ["method.importance_sampling.level=none"],
}


def main() -> None:
    options = parse()
    started_s = time.monotonic()
    results: dict[tuple[str, int], list[Outcome]] = {}
    for staleness in options.staleness:
        for way, changes in WAYS.items():
            for seed in options.seeds:
                found = run(
                    "grpo-tiny",
                    options.out / f"{way}-{staleness}-{seed}",
                    [*changes, f"pipeline.max_staleness={staleness}", f"seed={seed}"],
                    up=True,
                )
                results.setdefault((way, staleness), []).append(found)
                print(f"{way}, {staleness}, seed {seed}: {found.after:.3f}", flush=True)
    minutes = (time.monotonic() - started_s) / 60
    made_by = f"{machine()}; seeds {', '.join(map(str, options.seeds))}; {minutes:.0f} minutes."
    text = f"{table(results)}\n\n{made_by}"
    print(f"\n{text}")
    if options.write_docs:
        write_section("staleness", text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--staleness", type=int, nargs="+", default=[0, 2, 8, 16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/bench-staleness"))
    parser.add_argument("--write-docs", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def table(results: dict[tuple[str, int], list[Outcome]]) -> str:
    lines = [
        "| max_staleness | mean staleness | corrected | uncorrected | steps | wall time |",
        "|---|---|---|---|---|---|",
    ]
    for staleness in dict.fromkeys(number for _, number in results):
        cells = {way: results[way, staleness] for way in WAYS}
        everyone = [one.summary for outcomes in cells.values() for one in outcomes]
        mean = statistics.fmean(one["staleness"]["mean"] for one in everyone)
        wall_s = statistics.fmean(one["wall_s"] for one in everyone)
        found = " | ".join(accuracy(outcomes) for outcomes in cells.values())
        steps = everyone[0]["steps"]
        lines.append(f"| {staleness} | {mean:.1f} | {found} | {steps} | {wall_s:.0f} s |")
    return "\n".join(lines)


def accuracy(outcomes: list[Outcome]) -> str:
    mean, half = mean_ci95([one.after for one in outcomes])
    return f"{mean:.3f}" if half is None else f"{mean:.3f} ± {half:.3f}"


if __name__ == "__main__":
    main()
