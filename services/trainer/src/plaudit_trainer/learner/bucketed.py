"""TRL's GRPOTrainer, with each step in passes over completions of like length.

Tensor shapes: B completions, N of a pass, C completion tokens, T tokens of a sequence.
"""

from collections import defaultdict
from contextlib import nullcontext
from typing import Any

import torch
from trl.trainer.grpo_trainer import GRPOTrainer

from plaudit_trainer.learner.clock import StepClock
from plaudit_trainer.learner.pass_metrics import Figures, merge_passes
from plaudit_trainer.learner.passes import (
    TOKENS_PER_PASS,
    lay_out,
    plan_passes,
    sequence_lengths,
    share_of_loss,
    take_rows,
)
from plaudit_trainer.learner.scored_states import ScoredStates
from plaudit_trainer.learner.whole_weights import base_model
from plaudit_trainer.learner.zero3 import forget_traces


class BucketedTrainer(GRPOTrainer):
    """`max_tokens_per_pass` counts padding; None: what suits the device."""

    def __init__(self, *, max_tokens_per_pass: int | None, **options: Any) -> None:
        super().__init__(**options)
        forget_traces(self)
        self.clock = StepClock()
        device = self.accelerator.device.type
        self._tokens_per_pass = max_tokens_per_pass or TOKENS_PER_PASS[device]
        self._scored_states = ScoredStates()
        for model in filter(None, (self.model, self.ref_model)):
            self._scored_states.attach(base_model(model))

    def training_step(
        self, model: torch.nn.Module, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """A backward pass for each part of the batch; gradients sum up to the batch's own."""
        model.train()
        batch = self._prepare_inputs(inputs)
        parts = [take_rows(batch, rows) for rows in self._plan(batch)]
        before = self._metrics["train"]
        figures: list[Figures] = []
        losses = []
        for number, part in enumerate(parts, 1):
            self._metrics["train"] = defaultdict(list)
            share = share_of_loss(self.loss_type, part, batch)
            losses.append(self._pass(model, part, share, is_last=number == len(parts)))
            figures.append(self._metrics["train"])
        self._metrics["train"] = before
        for name, value in self._merged(figures, parts).items():
            before[name].append(value)
        self._step += 1
        return torch.stack(losses).sum()

    def _pass(
        self, model: torch.nn.Module, part: dict[str, Any], share: float, *, is_last: bool
    ) -> torch.Tensor:
        """DDP sums over the ranks, and DeepSpeed steps, in the last one. Sharded gradients are
        reduced in every pass: kept whole until the last, they would need all the memory."""
        self.accelerator.gradient_state._set_sync_gradients(is_last)
        is_kept = not is_last and not self.accelerator.is_fsdp2
        with self.accelerator.no_sync(model) if is_kept else nullcontext():
            with self.clock.measure("forward"):
                loss: torch.Tensor = self.compute_loss(model, part) * share
            with self.clock.measure("backward"):
                self.accelerator.backward(loss)
        return loss.detach()

    def _plan(self, batch: dict[str, Any]) -> list[torch.Tensor]:
        """All ranks make the same number of passes: in each, sharded weights are gathered."""
        lengths_B = sequence_lengths(batch)
        wanted = torch.tensor(
            [len(plan_passes(lengths_B, self._tokens_per_pass))], device=lengths_B.device
        )
        at_least = int(self.accelerator.gather(wanted).max())
        return plan_passes(lengths_B, self._tokens_per_pass, at_least)

    def _merged(self, figures: list[Figures], parts: list[dict[str, Any]]) -> dict[str, float]:
        num_tokens = torch.stack([part["completion_mask"].sum() for part in parts])
        over_ranks = self.accelerator.reduce(num_tokens, reduction="sum").tolist()
        return merge_passes(figures, over_ranks)

    def _logprobs(self, model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Of the completion tokens, at the sampling temperature. For use without gradients."""
        passes, logprobs = self._plan(batch), []
        for rows in passes:
            part = take_rows(batch, rows)
            logprobs_NC, _, _ = self._get_per_token_logps_and_entropies(
                model,
                torch.cat([part["prompt_ids"], part["completion_ids"]], dim=1),
                torch.cat([part["prompt_mask"], part["completion_mask"]], dim=1),
                part["completion_ids"].size(1),
            )
            logprobs.append(logprobs_NC)
        return torch.cat(logprobs)[torch.cat(passes).argsort()]

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        compute_aux_loss: bool = False,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """One forward pass over sequences without gaps, whose head sees scored tokens only."""
        layout = lay_out(input_ids, attention_mask, logits_to_keep)
        router: dict[str, Any] = {}
        if compute_aux_loss:
            router = {"output_router_logits": True, "attention_mask": layout.mask_BT}
        with self._scored_states.at(layout.scored_BT), self.accelerator.autocast():
            outputs = model(
                input_ids=layout.ids_BT,
                shift_labels=layout.targets_N.unsqueeze(0),
                fused_lm_head=True,
                **router,
            )
        is_scored_BC = attention_mask[:, -logits_to_keep:].bool()
        logprobs_BC = _spread(outputs.log_probs, is_scored_BC)
        entropies_BC = None
        if outputs.entropy is not None:
            entropies_BC = _spread(outputs.entropy, is_scored_BC)
        return logprobs_BC, entropies_BC, outputs.aux_loss


def _spread(values_1N: torch.Tensor, is_scored_BC: torch.Tensor) -> torch.Tensor:
    """Scored tokens back in their columns; 0 elsewhere."""
    return values_1N.new_zeros(is_scored_BC.shape).masked_scatter(is_scored_BC, values_1N)
