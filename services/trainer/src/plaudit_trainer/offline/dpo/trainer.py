"""TRL's DPOTrainer, with the losses of `losses`, over sums or means of log-probabilities."""

from typing import Any

import torch
from trl.trainer.dpo_trainer import DPOTrainer

from plaudit.schemas.recipe import DpoMethod
from plaudit_trainer.offline.dpo.losses import LogProbs, pair_losses
from plaudit_trainer.offline.implicit_reward import (
    Inputs,
    answer_log_probs,
    num_answer_tokens,
    reference_log_probs,
)
from plaudit_trainer.offline.steps import StepTrainer


class DpoTrainer(StepTrainer, DPOTrainer):
    """TRL gives the batches, the reference and the head that makes no whole logits."""

    def __init__(self, *args: Any, method: DpoMethod, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._method = method

    def log_probs(self, model: torch.nn.Module, inputs: Inputs) -> tuple[LogProbs, LogProbs]:
        """Of the policy and of the reference; `logp_reduce` says whether sums or means."""
        policy = self._pairs(answer_log_probs(model, inputs), inputs)
        return policy, self._pairs(reference_log_probs(self, inputs), inputs)

    def _pairs(self, sums_B: torch.Tensor, inputs: Inputs) -> LogProbs:
        """TRL's collator puts the chosen answers first, then the rejected."""
        is_mean = self._method.logp_reduce == "mean"
        values_B = sums_B / num_answer_tokens(inputs) if is_mean else sums_B
        return LogProbs(*values_B.chunk(2))

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> torch.Tensor:
        policy, reference = self.log_probs(model, inputs)
        method = self._method
        losses = pair_losses(
            method.loss_type, policy, reference, method.beta, method.label_smoothing
        )
        self._note(policy, reference)
        return losses.mean()

    @torch.no_grad()
    def _note(self, policy: LogProbs, reference: LogProbs) -> None:
        """Under TRL's names."""
        chosen, rejected = rewards(policy, reference, self._method.beta)
        figures = {
            "rewards/chosen": chosen,
            "rewards/rejected": rejected,
            "rewards/margins": chosen - rejected,
            "rewards/accuracies": (chosen > rejected).float(),
            "logps/chosen": policy.chosen,
            "logps/rejected": policy.rejected,
        }
        for name, values in figures.items():
            mean = self.accelerator.gather(values.contiguous()).mean().item()
            self._metrics["train"][name].append(mean)


def rewards(policy: LogProbs, reference: LogProbs, beta: float) -> LogProbs:
    """The implicit ones."""
    return LogProbs(
        beta * (policy.chosen - reference.chosen), beta * (policy.rejected - reference.rejected)
    )
