"""summary.json: what the run achieved, and the proof that its ledger closes."""

import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from plaudit.schemas.run import Ledger, Summary
from plaudit_trainer.run_dir import RunDir


def summarise(run_dir: RunDir, ledger: Ledger) -> Summary:
    """Built from the run directory's files, so that it is the same after any crash."""
    before = run_dir.read_json("eval_before.json") or {}
    after = run_dir.read_json("eval_after.json") or {}
    steps = list(run_dir.read_jsonl("metrics.jsonl"))
    gain, interval, num_prompts = accuracy_gain(
        before.get("by_prompt", {}), after.get("by_prompt", {})
    )
    updates = {(r["replica_id"], r["version"]) for r in run_dir.read_jsonl("policy.jsonl")}
    return Summary(
        run_id=run_dir.run_id,
        accuracy_before=before.get("accuracy"),
        accuracy_after=after.get("accuracy"),
        accuracy_gain=gain,
        accuracy_gain_ci95=interval,
        greedy_before=before.get("greedy"),
        greedy_after=after.get("greedy"),
        num_eval_prompts=num_prompts or len(before.get("by_prompt", {})),
        steps=max((int(step["step"]) for step in steps), default=0),
        wall_s=time.time() - _started_at(run_dir),
        groups_per_s=groups_per_s(steps),
        ledger=ledger,
        replayed_groups=sum(step.get("replay", {}).get("groups", 0) for step in steps),
        staleness=_staleness(steps),
        time_s=_times(run_dir, steps),
        weight_updates=sum(1 for _, version in updates if version is not None),
    )


def accuracy_gain(
    before: dict[str, float], after: dict[str, float]
) -> tuple[float | None, tuple[float, float] | None, int]:
    """Mean gain over the prompts, paired, with its normal 95 % interval."""
    gains = [after[key] - before[key] for key in before if key in after]
    if len(gains) < 2:
        return (gains[0] if gains else None), None, len(gains)
    mean = statistics.fmean(gains)
    margin = 1.96 * statistics.stdev(gains) / len(gains) ** 0.5
    return mean, (mean - margin, mean + margin), len(gains)


def groups_per_s(steps: list[dict[str, Any]]) -> float:
    """Steady state: the first step, which waits for the pipeline to fill, is left out."""
    if len(steps) < 2:
        return 0.0
    seconds = float(steps[-1]["time"]) - float(steps[0]["time"])
    num_groups = sum(int(step.get("num_groups", 0)) for step in steps[1:])
    return num_groups / seconds if seconds > 0 else 0.0


def _staleness(steps: list[dict[str, Any]]) -> dict[str, float]:
    histogram: Counter[int] = Counter()
    for step in steps:
        for value, number in step.get("staleness", {}).get("histogram", {}).items():
            histogram[int(value)] += int(number)
    total = sum(histogram.values())
    mean = sum(value * number for value, number in histogram.items()) / total if total else 0.0
    return {"mean": mean, "max": float(max(histogram, default=0))}


def _times(run_dir: RunDir, steps: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds summed over the run: the learner's phases, and each stage over all groups."""
    times: Counter[str] = Counter()
    for step in steps:
        for name, seconds in step.get("time_s", {}).items():
            times[f"learner_{name}"] += seconds
    for group in run_dir.read_jsonl("groups.jsonl"):
        for name, seconds in group["times"].items():
            times[f"groups_{name}"] += seconds
    return {name: round(seconds, 3) for name, seconds in sorted(times.items())}


def _started_at(run_dir: RunDir) -> float:
    return Path(run_dir.path / "run.json").stat().st_mtime
