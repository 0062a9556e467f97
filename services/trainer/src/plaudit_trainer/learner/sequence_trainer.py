"""TRL's loss, or that of whole completions, in each pass.

Tensor shapes: B completions of a pass, C completion tokens.
"""

from typing import Any, cast

import torch

from plaudit_trainer.learner.bucketed import BucketedTrainer
from plaudit_trainer.learner.sequence_loss import SequenceLoss, sequence_loss


class SequenceTrainer(BucketedTrainer):
    """`has_sequence_loss`: a completion is one action, and TRL's `loss_type` counts for nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.has_sequence_loss = False

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        if self.has_sequence_loss:
            return self._sequence_loss(model, inputs)
        loss = super()._compute_loss(model, inputs)  # type: ignore[no-untyped-call]
        return cast(torch.Tensor, loss)

    def _sequence_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        mask_BC = inputs["completion_mask"]
        logprobs_BC, entropies_BC, _ = self._get_per_token_logps_and_entropies(
            model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
            torch.cat([inputs["prompt_mask"], mask_BC], dim=1),
            mask_BC.size(1),
            compute_entropy=True,
        )
        old_BC = inputs.get("old_per_token_logps", logprobs_BC.detach())
        found = sequence_loss(
            logprobs_BC - old_BC,
            mask_BC,
            inputs["advantages"][:, 0],
            self._sequence_weights(inputs, logprobs_BC),
            self.epsilon_low,
            self.epsilon_high,
        )
        self._note_sequence_loss(found, entropies_BC, mask_BC)
        return found.loss / self.current_gradient_accumulation_steps

    def _sequence_weights(self, inputs: dict[str, Any], logprobs_BC: torch.Tensor) -> torch.Tensor:
        weights_B1 = inputs.get("importance_sampling_ratio", logprobs_BC.new_ones(1, 1))
        if self.off_policy_mask_threshold is not None:
            weights_B1 = weights_B1 * self.get_off_policy_mask(
                inputs["advantages"][:, :1],
                logprobs_BC,
                inputs["sampling_per_token_logps"],
                inputs["completion_mask"],
                self.off_policy_mask_threshold,
            )
        return cast(torch.Tensor, weights_B1[:, 0])

    def _note_sequence_loss(
        self, found: SequenceLoss, entropies_BC: torch.Tensor | None, mask_BC: torch.Tensor
    ) -> None:
        """Under the names that TRL gives these figures."""
        figures = self._metrics["train"]
        if entropies_BC is not None:
            sums = torch.stack([(entropies_BC * mask_BC).sum(), mask_BC.sum().float()])
            total, count = self.accelerator.reduce(sums.detach(), reduction="sum").tolist()
            figures["entropy"].append(total / max(1.0, count))
        clipped = torch.stack([found.is_low_clipped_B, found.is_high_clipped_B], dim=1)
        low, high = self._gather(clipped.float()).mean(dim=0).tolist()
        figures["clip_ratio/low_mean"].append(low)
        figures["clip_ratio/high_mean"].append(high)

    def _gather(self, tensor: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.accelerator.gather(tensor))
