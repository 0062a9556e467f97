"""The process of an offline run: load, resume, train, leave a final model.

Started by `plaudit-trainer offline --run-dir DIR`, or as a module by torchrun or accelerate.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from plaudit.config import load_settings
from plaudit.schemas.recipe import OfflineRecipe
from plaudit.telemetry import get_logger, setup_logging
from plaudit_trainer.hub import HubPusher
from plaudit_trainer.learner.checkpoint import CheckpointRecord, CheckpointStore
from plaudit_trainer.learner.memory import explaining_out_of_memory
from plaudit_trainer.learner.metrics import cut_metrics
from plaudit_trainer.learner.orphan import exit_when_orphaned
from plaudit_trainer.learner.signals import StopSignal, stop_signal
from plaudit_trainer.learner.threads import default_num_threads
from plaudit_trainer.offline.registry import method_of
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.settings import TrainerSettings
from plaudit_trainer.tracking import Tracker, open_tracker

if TYPE_CHECKING:
    from plaudit_trainer.offline.hooks import Hooks

MEMORY_FIX = (
    "lower method.backward_batch_size, eval.batch_size or model.max_model_tokens, set "
    "learner.gradient_checkpointing = true, model.dtype = 'bfloat16' or [model.lora], or share the "
    "weights over more processes (learner.strategy)"
)

log = get_logger(__name__)


def run(run_path: Path) -> None:
    """Train until the recipe's steps are done, or SIGTERM. Raises ConfigError."""
    settings = load_settings(TrainerSettings, service="trainer")
    setup_logging("offline", settings.log_level, settings.log_format)
    run_dir = RunDir(run_path)
    if "RANK" in os.environ:
        exit_when_orphaned()
    with stop_signal() as stop, explaining_out_of_memory(MEMORY_FIX):
        train(run_dir, stop)


def train(run_dir: RunDir, stop: StopSignal) -> None:
    recipe = run_dir.offline_recipe()
    is_main = int(os.environ.get("RANK", "0")) == 0
    checkpoints = CheckpointStore(
        run_dir.path / "checkpoints",
        keep=recipe.budget.keep_checkpoints,
        is_writer=is_main,
        best_is=recipe.budget.best_is,
    )
    newest = checkpoints.newest()
    if is_main:
        checkpoints.remove_incomplete()
        cut_metrics(run_dir.path, 0 if newest is None else newest.step)
    hooks = build(run_dir, recipe, checkpoints, _tracker(run_dir, recipe, newest, is_main))
    if is_main and recipe.hub is not None:
        hooks.hub = HubPusher(recipe.hub, run_dir.path)
    log.info("starting", step=0 if newest is None else newest.step)
    stop.defer()
    hooks.trainer.came = stop.came
    try:
        follow(hooks, None if newest is None else str(checkpoints.path(newest.step)))
    finally:
        hooks.close()
    hooks.trainer.accelerator.end_training()


def follow(hooks: "Hooks", resume_from: str | None) -> None:
    from plaudit_trainer.offline.hooks import StepsDone
    from plaudit_trainer.offline.steps import StopRequested

    try:
        try:
            hooks.trainer.train(resume_from_checkpoint=resume_from)
        except StepsDone:
            log.info("all steps are done", step=hooks.step)
        hooks.training_ends()
    except StopRequested:
        hooks.stopped()
        log.info("stopped", step=hooks.step)


def build(
    run_dir: RunDir, recipe: OfflineRecipe, checkpoints: CheckpointStore, tracker: Tracker
) -> "Hooks":
    """Torch is loaded here, after everything that can be refused without it."""
    import torch
    import transformers

    from plaudit_trainer.learner.loading import load_tokenizer
    from plaudit_trainer.offline.arguments import training_arguments
    from plaudit_trainer.offline.data import load_rows
    from plaudit_trainer.offline.hooks import BeginCallback, Hooks

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    has_gpu = torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU") != "true"
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(recipe.learner.num_threads or default_num_threads(num_processes))
    arguments = training_arguments(
        recipe, run_dir.path, has_gpu=has_gpu, num_processes=num_processes
    )
    method = method_of(recipe)
    tokenizer = load_tokenizer(recipe)
    rows, eval_rows, _ = load_rows(recipe, method, tokenizer)
    trainer = method.trainer(recipe, method.load_model(recipe), tokenizer, rows, arguments)
    hooks = Hooks(
        run_dir=run_dir,
        recipe=recipe,
        method=method,
        trainer=trainer,
        tokenizer=tokenizer,
        eval_rows=eval_rows,
        checkpoints=checkpoints,
        tracker=tracker,
    )
    trainer.step_done = hooks.step_done
    trainer.add_callback(BeginCallback(hooks))
    return hooks


def _tracker(
    run_dir: RunDir, recipe: OfflineRecipe, newest: CheckpointRecord | None, is_main: bool
) -> Tracker:
    if not is_main:
        return Tracker()
    last_step = 0 if newest is None else newest.step
    return open_tracker(recipe, run_dir.path, run_dir.run_id, last_step)
