"""The weights of a trainer's model, whole and plain: gathered from all ranks, adapters merged."""

from typing import TYPE_CHECKING, Any, cast

import torch
from accelerate.utils import is_peft_model

from plaudit_trainer.learner.lora import merged

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer


def base_model(model: Any) -> "PreTrainedModel":
    """Without the adapters around it, if it has any."""
    return cast("PreTrainedModel", model.get_base_model() if is_peft_model(model) else model)


def gathered(trainer: "Trainer") -> dict[str, torch.Tensor]:
    """Whole tensors, adapters beside; all ranks together, empty on all but the first."""
    state: dict[str, torch.Tensor] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return state if trainer.accelerator.is_main_process else {}


def whole_weights(trainer: "Trainer") -> dict[str, torch.Tensor]:
    """Under the names of the plain model; all ranks together, empty on all but the first."""
    state = gathered(trainer)
    model = trainer.accelerator.unwrap_model(trainer.model)
    return merged(model, state) if state and is_peft_model(model) else state


def whole_model(trainer: "Trainer") -> torch.nn.Module:
    """A model that computes with whole weights when all ranks call it together.

    Under ZeRO-3 that is the engine: it fetches what the layers need.
    """
    plugin = trainer.accelerator.state.deepspeed_plugin
    if plugin is not None and plugin.zero_stage == 3:
        return trainer.model_wrapped
    model: torch.nn.Module = trainer.accelerator.unwrap_model(trainer.model)
    return model
