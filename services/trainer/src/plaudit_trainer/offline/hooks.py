"""What follows an optimizer step: evaluation, metrics, checkpoint, and a stop where one is due.

A crash between any two is repaired on resume: metrics beyond the newest checkpoint are cut off.
"""

import math
import statistics
import time
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase, TrainerCallback

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import OfflineRecipe
from plaudit.schemas.run import OfflineState, OfflineStatus
from plaudit_trainer.hub import HubPusher
from plaudit_trainer.learner.best import BestBy
from plaudit_trainer.learner.checkpoint import CheckpointRecord, CheckpointStore
from plaudit_trainer.learner.final import NAME as FINAL
from plaudit_trainer.learner.metrics import append_metrics
from plaudit_trainer.offline.method import OfflineMethod, Row
from plaudit_trainer.offline.steps import StepTrainer
from plaudit_trainer.offline.summary import summarise
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.tracking import Tracker


class StepsDone(Exception):
    """The checkpoint that the run goes on from is that of its last step."""


@dataclass
class Hooks:
    """Called on every process; the first one writes."""

    run_dir: RunDir
    recipe: OfflineRecipe
    method: OfflineMethod
    trainer: StepTrainer
    tokenizer: PreTrainedTokenizerBase
    eval_rows: list[Row]
    checkpoints: CheckpointStore
    tracker: Tracker
    hub: HubPusher | None = None
    value: float | None = None
    """The metric, as last evaluated."""
    num_skipped_in_a_row: int = 0
    last_step_at_s: float = 0.0
    is_recorded: bool = True
    """Whether the metrics have the step that was done last."""

    def __post_init__(self) -> None:
        self.best = BestBy(self.recipe.budget.best_by)

    @property
    def is_main(self) -> bool:
        return bool(self.trainer.accelerator.is_main_process)

    @property
    def step(self) -> int:
        return int(self.trainer.state.global_step)

    def training_begins(self) -> None:
        """Weights are in place, new or resumed. Raises StepsDone."""
        if self.run_dir.read_json("eval_before.json") is None:
            self._evaluate_into("eval_before.json")
        if self.step >= self.trainer.state.max_steps:
            raise StepsDone
        self.last_step_at_s = time.time()
        self.tell("training")

    def step_done(self, figures: dict[str, Any]) -> None:
        """Raises StopRequested once what was done is kept."""
        self.is_recorded = False
        self._count_skipped()
        now_s = time.time()
        seconds = now_s - self.last_step_at_s
        line = {
            "step": self.step,
            "time": now_s,
            "step_s": seconds,
            **figures,
            "tokens_per_s": figures["num_tokens"] / seconds,
            "skipped": self.trainer.is_skipped,
        }
        if self._is_evaluated():
            line["eval"] = self._evaluate()["figures"]
        if self.is_main:
            append_metrics(self.run_dir.path, line)
            self.tracker.log(self.step, line)
            self.best.note(line)
        self.is_recorded = True
        self.tell("training", loss=_finite(figures["loss"]), tokens_per_s=line["tokens_per_s"])
        is_last = self.step == self.trainer.state.max_steps
        if is_last or self.step % self.recipe.budget.checkpoint_every_steps == 0:
            self.checkpoint()
        self.trainer.raise_if_stopped()
        self.last_step_at_s = time.time()

    def training_ends(self) -> None:
        """Every step is done: evaluate, leave the trained model and the summary."""
        self._evaluate_into("eval_after.json")
        self.method.save_final(self.recipe, self.trainer, self.tokenizer, self.run_dir.path)
        if self.is_main:
            summary = summarise(self.run_dir, self.recipe, self.method.metric)
            self.run_dir.write_json("summary.json", summary.model_dump())
        if self.hub is not None:
            self.hub.push_final(self.run_dir.path / FINAL)
        self.tell("finished")

    def checkpoint(self) -> None:
        record = CheckpointRecord(
            run_id=self.run_dir.run_id,
            step=self.step,
            newest_version=None,
            value=self.best.drain(),
        )
        barrier = self.trainer.accelerator.wait_for_everyone
        self.checkpoints.write(record, self.trainer.save_into, barrier)
        if self.hub is not None:
            self.hub.push_checkpoint(self.checkpoints.path(self.step), self.step)

    def stopped(self) -> None:
        """Keep what was done. A step whose evaluation was broken off is done again."""
        if self.is_recorded:
            self.checkpoint()

    def close(self) -> None:
        """However it ended: what is still on its way elsewhere is waited for, within bounds."""
        self.tracker.close()
        if self.hub is not None:
            self.hub.close()

    def tell(self, state: OfflineState, **figures: float | None) -> None:
        """status.json, for whoever watches."""
        if self.is_main:
            status = OfflineStatus(
                run_id=self.run_dir.run_id,
                state=state,
                step=self.step,
                max_steps=self.trainer.state.max_steps,
                metric=self.method.metric,
                value=self.value,
                **figures,
            )
            self.run_dir.write_json("status.json", status.model_dump())

    def _is_evaluated(self) -> bool:
        every = self.recipe.eval.every_steps
        return bool(self.eval_rows) and every is not None and self.step % every == 0

    def _evaluate_into(self, name: str) -> None:
        if not self.eval_rows:
            return
        record = self._evaluate()
        if self.is_main:
            self.run_dir.write_json(name, record)

    def _evaluate(self) -> dict[str, Any]:
        self.tell("evaluating")
        metric = self.method.metric
        result = self.method.evaluate(self.trainer, self.eval_rows)
        self.value = statistics.fmean(result.by_row.values())
        figures = {metric: self.value, **result.figures}
        return {"metric": metric, "figures": figures, "by_prompt": result.by_row}

    def _count_skipped(self) -> None:
        self.num_skipped_in_a_row = self.num_skipped_in_a_row + 1 if self.trainer.is_skipped else 0
        allowed = self.recipe.method.max_skipped_steps
        if self.num_skipped_in_a_row > allowed:
            raise ConfigError(
                f"loss or gradient was no number in {self.num_skipped_in_a_row} steps in a row, up "
                f"to step {self.step} (method.max_skipped_steps = {allowed}).",
                fix="lower method.learning_rate or method.max_grad_norm, or look for a broken row; "
                "model.dtype = 'float32' is the safest",
            )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class BeginCallback(TrainerCallback):
    """Transformers calls it once weights and optimizer are in place, resumed or new."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        self._hooks.training_begins()
