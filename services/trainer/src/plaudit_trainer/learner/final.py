"""The trained model as a directory that `from_pretrained` loads."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from plaudit_trainer.learner import disk

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer

NAME = "final"


def save_final(
    trainer: "Trainer", tokenizer: "PreTrainedTokenizerBase", run_dir: Path, dtype: str
) -> None:
    """All ranks together. Raises ConfigError when the disk refuses."""
    import torch

    from plaudit_trainer.learner.whole_weights import base_model, whole_weights

    state = whole_weights(trainer)
    if not trainer.accelerator.is_main_process:
        return
    model = base_model(trainer.accelerator.unwrap_model(trainer.model))
    # Converted once for each storage, so that what is tied stays tied and is written once.
    converted: dict[int, torch.Tensor] = {}
    weights = {
        name: converted.setdefault(tensor.data_ptr(), tensor.to("cpu", getattr(torch, dtype)))
        for name, tensor in state.items()
    }
    target = run_dir / NAME
    shutil.rmtree(target, ignore_errors=True)
    with disk.writing("the final model", run_dir), disk.new_directory(target) as directory:
        model.save_pretrained(directory, state_dict=weights)
        tokenizer.save_pretrained(directory)
