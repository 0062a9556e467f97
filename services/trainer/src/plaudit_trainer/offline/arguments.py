"""The recipe in transformers' terms: what all offline methods have in common."""

from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import OfflineRecipe
from plaudit_trainer.learner.arguments import SCHEDULERS
from plaudit_trainer.learner.strategy import strategy_arguments


def training_arguments(
    recipe: OfflineRecipe, run_dir: Path, *, has_gpu: bool, num_processes: int
) -> dict[str, Any]:
    """Keyword arguments of any of TRL's configurations. Raises ConfigError for the batch."""
    method = recipe.method
    per_pass, num_passes = split_batch(recipe, num_processes)
    return {
        "output_dir": str(run_dir / "checkpoints"),
        **_length(recipe),
        "per_device_train_batch_size": per_pass,
        "per_device_eval_batch_size": recipe.eval.batch_size,
        "gradient_accumulation_steps": num_passes,
        "learning_rate": method.learning_rate,
        "lr_scheduler_type": SCHEDULERS[method.lr_scheduler],
        "warmup_steps": method.warmup_steps,
        "weight_decay": method.weight_decay,
        "max_grad_norm": method.max_grad_norm,
        "seed": recipe.seed,
        "bf16": recipe.model.dtype == "bfloat16",
        "gradient_checkpointing": _checkpoints_gradients(recipe, has_gpu),
        **strategy_arguments(recipe.learner, has_gpu=has_gpu),
        "dataloader_pin_memory": has_gpu,
        "max_length": None,
        **_QUIET,
    }


_QUIET: dict[str, Any] = {
    "save_strategy": "no",
    "report_to": [],
    "logging_steps": 1,
    "logging_nan_inf_filter": False,
    "disable_tqdm": True,
    "ddp_find_unused_parameters": False,
}
"""Plaudit logs, saves and reports itself."""


def split_batch(recipe: OfflineRecipe, num_processes: int) -> tuple[int, int]:
    """Rows per backward pass and process, and how many passes a step has."""
    total = recipe.method.batch_size
    per_process, rest = divmod(total, num_processes)
    if rest:
        raise ConfigError(
            f"learner.num_processes = {num_processes} does not divide method.batch_size = {total}.",
            fix="choose a divisor",
        )
    per_pass = recipe.method.backward_batch_size or per_process
    if per_process % per_pass:
        raise ConfigError(
            f"method.backward_batch_size = {per_pass} does not divide the {per_process} rows that "
            "each process has in a step (method.batch_size / learner.num_processes).",
            fix="choose a divisor",
        )
    return per_pass, per_process // per_pass


def _length(recipe: OfflineRecipe) -> dict[str, Any]:
    if recipe.method.epochs is None:
        return {"max_steps": recipe.budget.steps}
    return {"num_train_epochs": recipe.method.epochs}


def _checkpoints_gradients(recipe: OfflineRecipe, has_gpu: bool) -> bool:
    chosen = recipe.learner.gradient_checkpointing
    return has_gpu if chosen is None else chosen
