"""The recipe in TRL's terms."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.learner.loss_check import check_loss
from plaudit_trainer.learner.strategy import strategy_arguments

if TYPE_CHECKING:
    from trl.trainer.grpo_config import GRPOConfig

CISPO_CAP = 5.0
"""CISPO bounds the ratio itself by `epsilon_high`, for which GRPO's 0.2 makes no sense."""
SCHEDULERS = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


def grpo_config(
    recipe: Recipe, run_dir: Path, *, has_gpu: bool, num_processes: int
) -> "GRPOConfig":
    """Raises ConfigError when the recipe asks for what the loss or the processes cannot do."""
    from trl.trainer.grpo_config import GRPOConfig

    check_loss(recipe)
    method = recipe.method
    per_process = split_batch(recipe, num_processes)
    config = GRPOConfig(
        output_dir=str(run_dir / "checkpoints"),
        max_steps=recipe.budget.steps * method.num_iterations,
        per_device_train_batch_size=per_process,
        num_generations=method.num_generations,
        num_iterations=method.num_iterations,
        max_completion_length=method.max_completion_tokens,
        temperature=method.temperature,
        loss_type="grpo" if method.loss_type == "sequence" else method.loss_type,
        beta=_reference_beta(recipe),
        epsilon=method.epsilon,
        epsilon_high=_epsilon_high(recipe),
        importance_sampling_level=method.importance_sampling_level,
        scale_rewards=method.scale_rewards,
        off_policy_mask_threshold=method.off_policy_mask_threshold,
        learning_rate=method.learning_rate,
        lr_scheduler_type=SCHEDULERS[method.lr_scheduler],
        warmup_steps=method.warmup_steps * method.num_iterations,
        weight_decay=method.weight_decay,
        max_grad_norm=method.max_grad_norm,
        seed=recipe.seed,
        bf16=recipe.model.dtype == "bfloat16",
        gradient_checkpointing=_or(recipe.learner.gradient_checkpointing, has_gpu),
        ddp_timeout=math.ceil(recipe.pipeline.stall_timeout_s) + 3600,
        **strategy_arguments(recipe.learner, has_gpu=has_gpu),
        **_quiet(has_gpu),
    )
    # A single process that sees several GPUs would split every batch over them (DataParallel).
    if config.n_gpu > 1:
        config._n_gpu = 1
    return config


def _quiet(has_gpu: bool) -> dict[str, Any]:
    """Plaudit logs, saves and reports itself."""
    return {
        "save_strategy": "no",
        "report_to": [],
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "shuffle_dataset": False,
        "dataloader_pin_memory": has_gpu,
        "ddp_find_unused_parameters": False,
    }


def split_batch(recipe: Recipe, num_processes: int) -> int:
    """Completions of a step and process."""
    total = recipe.pipeline.groups_per_step * recipe.method.num_generations
    per_process, rest = divmod(total, num_processes)
    if rest:
        raise ConfigError(
            f"learner.num_processes = {num_processes} does not divide the {total} completions of a "
            "step (pipeline.groups_per_step x method.num_generations).",
            fix="choose a divisor",
        )
    _check_replay(recipe, num_processes)
    return per_process


def _check_replay(recipe: Recipe, num_processes: int) -> None:
    replay = recipe.pipeline.replay
    if replay is None:
        return
    replayed = replay.groups_per_step * recipe.method.num_generations
    if replayed % num_processes:
        raise ConfigError(
            f"learner.num_processes = {num_processes} does not divide the {replayed} completions "
            "that a step replays (pipeline.replay.groups_per_step x method.num_generations).",
            fix="choose a divisor",
        )


def _or(value: bool | None, default: bool) -> bool:
    return default if value is None else value


def _reference_beta(recipe: Recipe) -> float:
    """TRL makes a reference model for a beta. Beneath an adapter the reference is there."""
    if recipe.model.lora is not None:
        return 0.0
    return recipe.method.beta or float(recipe.method.kl is not None)


def _epsilon_high(recipe: Recipe) -> float | None:
    method = recipe.method
    if method.epsilon_high is None and method.loss_type == "cispo":
        return CISPO_CAP
    return method.epsilon_high
