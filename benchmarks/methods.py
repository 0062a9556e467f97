"""Every method learns: its tiny recipe for several seeds, held-out gains with intervals.

    python benchmarks/methods.py [--methods grpo ppo] [--seeds 0 1 2] [--out DIR] [--write-docs]

An interval is that of the mean gain over the seeds (Student's t). What --out holds already is not
run again, so a sweep that was stopped goes on.
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from docs_section import machine, write_section
from method_proofs import CHANCE, proofs
from sweep import Outcome, interval, mean_ci95, run

from plaudit.report.charts import line_chart
from plaudit.report.svg import chart_svg

OFFLINE = ("sft", "dpo", "kto", "rm", "unit_rm")
ONLINE = ("grpo", "rloo", "reinforce_pp", "ppo", "drca", "unit_ppo", "grail", "sr_r1")
SAME_TASK = ("grpo", "rloo", "reinforce_pp", "ppo")
"""They train the same model on the same rows: their curves can be compared."""
UNTRAINED_HEAD = ("rm", "unit_rm")
"""They begin with a head drawn at random, which is right in half of the pairs on average and far
from that by chance: what they gain is over that half."""
STEPS_PLOT, SECONDS_PLOT = "methods-steps.svg", "methods-seconds.svg"
_WINDOW = 8

Results = Mapping[str, Sequence[Outcome]]


def main() -> None:
    options = parse()
    started_s = time.monotonic()
    results: dict[str, list[Outcome]] = {}
    for method in options.methods:
        for seed in options.seeds:
            found = run(
                f"{method}-tiny",
                options.out / f"{method}-{seed}",
                [f"seed={seed}", *changes(method, seed, options.out)],
                up=method not in OFFLINE,
            )
            results.setdefault(method, []).append(found)
            print(f"{method} seed {seed}: {found.metric} {found.gain:+.3f}", flush=True)
    minutes = (time.monotonic() - started_s) / 60
    made_by = f"{machine()}; seeds {', '.join(map(str, options.seeds))}; {minutes:.0f} minutes."
    text = f"{table(results)}\n\n{made_by}"
    text += proof_table(options.methods, options.seeds, options.out)
    print(f"\n{text}")
    if options.write_docs:
        text += f"\n\n![accuracy by step]({STEPS_PLOT})\n\n![accuracy by second]({SECONDS_PLOT})"
        write_section("methods", text, plots(results))
    raise SystemExit(verdict(results))


def changes(method: str, seed: int, out: Path) -> list[str]:
    """The unit reward model is that of the same seed, which has to be trained before."""
    unit_rm = (out / f"unit_rm-{seed}" / "final").resolve()
    return [f"reward_models.default.path={unit_rm}"] if method == "unit_ppo" else []


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--methods", nargs="+", default=[*OFFLINE, *ONLINE])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/bench-methods"))
    parser.add_argument("--write-docs", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def table(results: Results) -> str:
    lines = [
        "| method | held-out metric | before | after | gain (95 %) | steps | wall time |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, outcomes in results.items():
        before = statistics.fmean(one.before for one in outcomes)
        after = statistics.fmean(one.after for one in outcomes)
        wall_s = statistics.fmean(one.summary["wall_s"] for one in outcomes)
        gained = interval(gains(method, outcomes))
        steps = outcomes[0].summary["steps"]
        lines.append(
            f"| {method} | {outcomes[0].metric} | {before:.3f} | {after:.3f} | {gained} | {steps} "
            f"| {wall_s:.0f} s |"
        )
    return "\n".join(lines)


def gains(method: str, outcomes: Sequence[Outcome]) -> list[float]:
    if method in UNTRAINED_HEAD:
        return [one.after - CHANCE for one in outcomes]
    return [one.gain for one in outcomes]


def proof_table(methods: Sequence[str], seeds: Sequence[int], out: Path) -> str:
    rows = [
        row
        for method in methods
        for row in proofs(method, [out / f"{method}-{seed}" for seed in seeds])
    ]
    if not rows:
        return ""
    head = "\n\n| method | besides | first | last | difference (95 %) |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows)


def plots(results: Results) -> dict[str, str]:
    """Training accuracy of the methods that share a task, mean over seeds."""
    same = {method: outcomes for method, outcomes in results.items() if method in SAME_TASK}
    by_step = {method: curve(outcomes, by_time=False) for method, outcomes in same.items()}
    by_time = {method: curve(outcomes, by_time=True) for method, outcomes in same.items()}
    charts = {
        STEPS_PLOT: line_chart("", by_step, x_label="step", y_label="accuracy"),
        SECONDS_PLOT: line_chart("", by_time, x_label="seconds", y_label="accuracy"),
    }
    return {name: chart_svg(chart) for name, chart in charts.items() if chart is not None}


def curve(outcomes: Sequence[Outcome], *, by_time: bool) -> list[tuple[float, float | None]]:
    """Over windows of steps, so that one step's noise does not hide the methods."""
    num_steps = min(len(one.metrics) for one in outcomes)
    points: list[tuple[float, float | None]] = []
    for end in range(_WINDOW, num_steps + 1, _WINDOW):
        windows = [one.metrics[end - _WINDOW : end] for one in outcomes]
        values = [
            value
            for window in windows
            for line in window
            if (value := line["rewards"].get("accuracy", {}).get("mean")) is not None
        ]
        first = [one.metrics[0]["time"] for one in outcomes]
        seconds = [window[-1]["time"] - start for window, start in zip(windows, first, strict=True)]
        at = statistics.fmean(seconds) if by_time else float(end)
        points.append((at, statistics.fmean(values) if values else None))
    return points


def verdict(results: Results) -> str | None:
    """None, or which methods cannot be said to learn."""
    unsure = []
    for method, outcomes in results.items():
        mean, half = mean_ci95(gains(method, outcomes))
        if half is not None and mean - half <= 0.0:
            unsure.append(method)
    return f"the interval of the gain holds 0: {', '.join(unsure)}" if unsure else None


if __name__ == "__main__":
    main()
