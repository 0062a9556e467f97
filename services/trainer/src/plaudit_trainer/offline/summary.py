"""summary.json: what the run achieved, from its files, so that it is the same after any crash."""

import time
from typing import Any

from plaudit.schemas.recipe import OfflineRecipe
from plaudit.schemas.run import OfflineSummary
from plaudit_trainer.conductor.summary import accuracy_gain
from plaudit_trainer.run_dir import RunDir


def summarise(run_dir: RunDir, recipe: OfflineRecipe, metric: str) -> OfflineSummary:
    before = run_dir.read_json("eval_before.json") or {}
    after = run_dir.read_json("eval_after.json") or {}
    steps = list(run_dir.read_jsonl("metrics.jsonl"))
    gain, interval, num_rows = accuracy_gain(
        before.get("by_prompt", {}), after.get("by_prompt", {})
    )
    return OfflineSummary(
        run_id=run_dir.run_id,
        method=recipe.method.name,
        metric=metric,
        before=before.get("figures", {}).get(metric),
        after=after.get("figures", {}).get(metric),
        gain=gain,
        gain_ci95=interval,
        num_eval_rows=num_rows,
        steps=max((int(step["step"]) for step in steps), default=0),
        skipped_steps=sum(bool(step["skipped"]) for step in steps),
        wall_s=time.time() - (run_dir.path / "run.json").stat().st_mtime,
        tokens_per_s=_tokens_per_s(steps),
    )


def _tokens_per_s(steps: list[dict[str, Any]]) -> float:
    """While training; the first step, which warms caches, is left out."""
    seconds = sum(step["step_s"] for step in steps[1:])
    return sum(step["num_tokens"] for step in steps[1:]) / seconds if seconds else 0.0
