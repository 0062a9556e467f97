"""The critic at work. Every rank has a whole one; their gradients are averaged by hand, so that it
stands beside a policy under DDP, DeepSpeed or FSDP alike.

Tensor shapes: B completions of this rank, N of a pass, C tokens of a completion.
"""

import math
from typing import TYPE_CHECKING, Any

import torch

from plaudit.schemas.recipe import CriticRecipe
from plaudit.telemetry import get_logger
from plaudit_trainer.learner.critic.loss import is_clipped, value_losses
from plaudit_trainer.learner.critic.model import ValueModel
from plaudit_trainer.learner.passes import plan_passes, sequence_lengths, take_rows

if TYPE_CHECKING:
    from accelerate import Accelerator

log = get_logger(__name__)


class Critic:
    """Learns from each step's batch in `num_iterations` passes."""

    def __init__(
        self,
        model: ValueModel,
        recipe: CriticRecipe,
        accelerator: "Accelerator",
        *,
        num_iterations: int,
        tokens_per_pass: int,
    ) -> None:
        self._model = model.to(accelerator.device)
        self._recipe = recipe
        self._accelerator = accelerator
        self._num_iterations = num_iterations
        self._tokens_per_pass = tokens_per_pass
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, weight_decay=0.0
        )

    def values(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(B, C) in float64; 0 at padding."""
        passes = self._passes(batch)
        with torch.no_grad():
            values = [self._forward(take_rows(batch, rows)) for rows in passes]
        return torch.cat(values)[torch.cat(passes).argsort()].double()

    def learn(
        self, batch: dict[str, torch.Tensor], old_BC: torch.Tensor, returns_BC: torch.Tensor
    ) -> dict[str, float | None]:
        """Means over the tokens of all ranks and passes; None when no step could be taken."""
        columns = {**batch, "values": old_BC.float(), "returns": returns_BC.float()}
        found = [self._step(columns) for _ in range(self._num_iterations)]
        loss, share = (sum(column) / len(found) for column in zip(*found, strict=True))
        is_known = math.isfinite(loss)
        return {
            "value_loss": loss if is_known else None,
            "value_clip_fraction": share if is_known else None,
        }

    def state(self) -> dict[str, Any]:
        return {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _step(self, batch: dict[str, torch.Tensor]) -> tuple[float, float]:
        """One optimizer step, unless its gradient is no number; the mean loss, and the share of
        clipped values."""
        self._optimizer.zero_grad()
        num_tokens = self._sum_over_ranks(batch["completion_mask"].sum().float()).clamp(min=1)
        sums = torch.zeros(2, device=num_tokens.device)
        for rows in self._passes(batch):
            sums += self._backward(take_rows(batch, rows), num_tokens)
        for parameter in self._model.parameters():
            if parameter.grad is not None:
                parameter.grad = self._sum_over_ranks(parameter.grad)
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.max_grad_norm)
        if torch.isfinite(norm):
            self._optimizer.step()
        else:
            log.warning("critic_step_skipped", grad_norm=float(norm))
        loss, share = (self._sum_over_ranks(sums) / num_tokens).tolist()
        return loss, share

    def _backward(self, part: dict[str, torch.Tensor], num_tokens: torch.Tensor) -> torch.Tensor:
        values_NC, mask_NC = self._forward(part), part["completion_mask"]
        clip = self._recipe.value_clip
        losses_NC = value_losses(values_NC, part["values"], part["returns"], clip)
        loss = (losses_NC * mask_NC).sum()
        torch.autograd.backward(loss / num_tokens)
        num_clipped = (is_clipped(values_NC, part["values"], clip) * mask_NC).sum()
        return torch.stack([loss.detach(), num_clipped.float()])

    def _forward(self, part: dict[str, torch.Tensor]) -> torch.Tensor:
        ids = torch.cat([part["prompt_ids"], part["completion_ids"]], dim=1)
        mask = torch.cat([part["prompt_mask"], part["completion_mask"]], dim=1)
        with self._accelerator.autocast():
            values: torch.Tensor = self._model(ids, mask, part["completion_ids"].size(1))
        return values

    def _passes(self, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        return plan_passes(sequence_lengths(batch), self._tokens_per_pass)

    def _sum_over_ranks(self, tensor: torch.Tensor) -> torch.Tensor:
        summed: torch.Tensor = self._accelerator.reduce(tensor, reduction="sum")
        return summed
