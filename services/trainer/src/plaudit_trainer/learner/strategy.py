"""`learner.strategy` in transformers' terms: the configurations in plaudit_trainer/strategies/."""

import os
from pathlib import Path
from typing import Any

from plaudit.schemas.recipe import LearnerRecipe

DIRECTORY = Path(__file__).parents[1] / "strategies"


def strategy_arguments(learner: LearnerRecipe, *, has_gpu: bool) -> dict[str, Any]:
    """Keyword arguments of TrainingArguments; starts accelerate where it needs to be told."""
    config = learner.deepspeed or _config(learner)
    if config is None:
        return {"use_cpu": not has_gpu}
    kind = "fsdp" if learner.strategy == "fsdp2" else "deepspeed"
    chosen = {"fsdp": True, "fsdp_config": config} if kind == "fsdp" else {"deepspeed": config}
    if has_gpu:
        return {"use_cpu": False, **chosen}
    _start_on_cpu(kind)
    return {"use_cpu": False, "accelerator_config": {"use_configured_state": True}, **chosen}


def _config(learner: LearnerRecipe) -> str | None:
    return None if learner.strategy == "ddp" else str(DIRECTORY / f"{learner.strategy}.json")


def _start_on_cpu(kind: str) -> None:
    """Told to use the CPU, transformers and accelerate leave DeepSpeed and FSDP out without a word.

    Left to themselves otherwise, they choose no backend there, and every process trains alone.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    if kind == "deepspeed":
        os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
        PartialState(backend="gloo")
        del os.environ["ACCELERATE_USE_DEEPSPEED"]
        return
    state = PartialState(cpu=True)
    # accelerate shards on every device but this one, although torch does
    state.distributed_type = DistributedType.MULTI_XPU
