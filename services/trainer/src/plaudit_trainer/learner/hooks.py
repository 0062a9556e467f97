"""What follows an optimizer step, in this order: ledger, publication, metrics, checkpoint.

A crash between any two is repaired on resume: the ledger is rolled back to the newest checkpoint,
metrics beyond it are cut off, and the next version number is a new one.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedTokenizerBase, TrainerCallback

from plaudit.schemas.recipe import Recipe
from plaudit.telemetry import get_logger
from plaudit_trainer.group_trace import record_trained
from plaudit_trainer.hub import HubPusher
from plaudit_trainer.learner.best import BestBy
from plaudit_trainer.learner.checkpoint import CheckpointRecord, CheckpointStore
from plaudit_trainer.learner.feed import BatchFeed
from plaudit_trainer.learner.final import NAME as FINAL
from plaudit_trainer.learner.final import save_final
from plaudit_trainer.learner.kl_watch import KlWatch
from plaudit_trainer.learner.method_figures import method_line
from plaudit_trainer.learner.metrics import append_metrics, batch_figures, replay_figures
from plaudit_trainer.learner.publisher import Publisher
from plaudit_trainer.ledger import LearnerLedger
from plaudit_trainer.tracking import Tracker

if TYPE_CHECKING:
    from plaudit_trainer.learner.trainer import LearnerTrainer

ON_POLICY_GAP_LIMIT = 1e-3
"""In float32 an engine with the learner's own weights agrees far better than this."""

log = get_logger(__name__)


@dataclass
class Hooks:
    """Called on every rank; `ledger` is None on all but rank 0."""

    run_id: str
    run_dir: Path
    recipe: Recipe
    trainer: "LearnerTrainer"
    tokenizer: PreTrainedTokenizerBase
    feed: BatchFeed
    checkpoints: CheckpointStore
    publisher: Publisher
    ledger: LearnerLedger | None
    is_resumed: bool
    tracker: Tracker = field(default_factory=Tracker)
    hub: HubPusher | None = None
    version: int | None = None
    last_step_at_s: float = 0.0

    def __post_init__(self) -> None:
        self.best = BestBy(self.recipe.budget.best_by)
        self.kl_watch = KlWatch(self.recipe.method.max_kl)

    def training_begins(self) -> None:
        """A fresh run has a checkpoint of step 0 before anything is trained."""
        step = self.trainer.num_steps_done
        if not self.is_resumed:
            self.checkpoint(step)
        self.publish(step)
        self.last_step_at_s = time.time()
        self._tell(learner="training", step=step, version=self.version)

    def training_ends(self) -> None:
        """Every step is done: leave the trained model, and say so."""
        if self.recipe.budget.steps:
            save_final(self.trainer, self.tokenizer, self.run_dir, self.recipe.model.dtype)
        if self.hub is not None:
            self.hub.push_final(self.run_dir / FINAL)
        self._tell(learner="finished")

    def close(self) -> None:
        """However it ended: what is still on its way elsewhere is waited for, within bounds."""
        self.tracker.close()
        if self.hub is not None:
            self.hub.close()

    def optimizer_step_done(self, figures: dict[str, Any]) -> None:
        if self.trainer.state.global_step % self.trainer.num_iterations:
            return
        step = self.trainer.num_steps_done
        method = method_line(self.trainer.method.figures, figures)
        self.kl_watch.check(method["kl"])
        batch = self.feed.batch
        if self.ledger is not None:
            self.ledger.commit_step(step, [taken.group.group_id for taken in batch.groups], {})
            for taken in batch.groups:
                record_trained(self.run_id, taken.group, step, taken.staleness)
        self.feed.step_done(step)
        self.publish(step)
        self._record(step, figures, method)
        is_last = step == self.recipe.budget.steps
        if is_last or step % self.recipe.budget.checkpoint_every_steps == 0:
            self.checkpoint(step)

    def publish(self, step: int) -> None:
        with self.trainer.clock.measure("publish"):
            self.version = self.publisher.publish(step)

    def checkpoint(self, step: int) -> None:
        with self.trainer.clock.measure("checkpoint"):
            learned = self.feed.learned
            record = CheckpointRecord(
                run_id=self.run_id,
                step=step,
                newest_version=self.version,
                reward_weights=learned and learned.state,
                value=self.best.drain(),
            )
            barrier = self.trainer.accelerator.wait_for_everyone
            self.checkpoints.write(record, self._save_into, barrier)
            if self.ledger is not None:
                self.ledger.checkpointed(step)
            if self.hub is not None and step:
                self.hub.push_checkpoint(self.checkpoints.path(step), step)

    def _save_into(self, directory: str) -> str:
        written = self.trainer.save_into(directory)
        self.feed.save_into(Path(written))
        return written

    def _record(self, step: int, figures: dict[str, Any], method: dict[str, Any]) -> None:
        engine = self._engine_figures()
        if self.ledger is None:
            return
        batch = self.feed.batch
        clock = self.trainer.clock
        clock.add("wait", batch.wait_s)
        clock.add("credit", batch.credit_s)
        now_s = time.time()
        seconds = now_s - self.last_step_at_s
        self.last_step_at_s = now_s
        line = {
            "step": step,
            "version": self.version,
            "time": now_s,
            "step_s": seconds,
            **{name: figures.pop(name) for name in ("loss", "grad_norm", "learning_rate")},
            "skipped_steps": self.trainer.bad_steps.drain(),
            **batch_figures(batch),
            **method,
            **replay_figures(batch, self.feed.replay),
            **({"reward_weights": learned.weights()} if (learned := self.feed.learned) else {}),
            "engine": engine,
            "time_s": clock.drain(),
            "trl": figures,
        }
        append_metrics(self.run_dir, line)
        self.tracker.log(step, line)
        self.best.note(line)
        self._tell(
            step=step,
            version=self.version,
            reward=line["reward"],
            reward_std=line["reward_std"],
            zero_variance_ratio=line["zero_variance_groups"] / max(1, line["num_groups"]),
            staleness_mean=line["staleness"]["mean"],
            step_s=seconds,
            step_parts_s=line["time_s"],
            groups_per_s=line["num_groups"] / seconds,
            tokens_per_s=line["num_tokens"] / seconds,
        )

    def _engine_figures(self) -> dict[str, float] | None:
        figures = self.trainer.engine_gap.drain()
        if figures is None or self.ledger is None or self.recipe.model.dtype != "float32":
            return figures
        if figures["on_policy_gap_max"] > ON_POLICY_GAP_LIMIT:
            log.warning(
                "engine_disagrees",
                gap=figures["on_policy_gap_max"],
                hint="an engine may not serve the weights it claims",
            )
        return figures

    def _tell(self, **values: Any) -> None:
        if self.ledger is not None:
            self.ledger.set_progress(values)


class BeginCallback(TrainerCallback):
    """Transformers calls it once weights and optimizer are in place, resumed or new."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        self._hooks.training_begins()
