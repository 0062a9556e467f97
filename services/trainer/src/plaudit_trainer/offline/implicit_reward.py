"""Log-probabilities of answers, by the policy and by the model that training started from.

beta times their difference is the reward that preference methods train without a reward model.
"""

from typing import TYPE_CHECKING, Any, cast

import torch
from trl.trainer.utils import use_adapter

from plaudit_trainer.offline.method import Row

if TYPE_CHECKING:
    from plaudit_trainer.offline.steps import StepTrainer

IGNORED = -100
Inputs = dict[str, torch.Tensor]
"""input_ids, attention_mask and completion_mask: 1 where a token is the answer's."""


def answer_log_probs(model: torch.nn.Module, inputs: Inputs) -> torch.Tensor:
    """(B,): the sum over each answer's tokens."""
    labels_BT = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, IGNORED)
    output = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        labels=labels_BT,
        use_cache=False,
        fused_lm_head=True,
    )
    return cast(torch.Tensor, output.log_probs.sum(1))


def reference_log_probs(trainer: "StepTrainer", inputs: Inputs) -> torch.Tensor:
    """As `answer_log_probs`, without a gradient; with LoRA the reference is the model without."""
    of_trl = cast(Any, trainer)
    with torch.no_grad():
        if of_trl.ref_model is not None:
            return answer_log_probs(of_trl.ref_model, inputs)
        model = trainer.accelerator.unwrap_model(trainer.model)
        # Where the model came with an adapter, TRL keeps a copy of that.
        name = "ref" if "ref" in model.peft_config else None
        with use_adapter(model, adapter_name=name):
            return answer_log_probs(of_trl.model, inputs)


def num_answer_tokens(inputs: Inputs) -> torch.Tensor:
    """(B,)"""
    return inputs["completion_mask"][:, 1:].sum(1)


def collated(trainer: "StepTrainer", rows: list[Row]) -> Inputs:
    """What TRL's collator makes of the rows, on the trainer's device."""
    inputs = cast(Any, trainer).data_collator(rows)
    return {name: one.to(trainer.accelerator.device) for name, one in inputs.items()}
