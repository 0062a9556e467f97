"""A step whose loss or gradient is no number changes nothing."""

import math
from typing import Any

import torch

from plaudit_trainer.learner.bad_steps import deepspeed_skipped
from plaudit_trainer.learner.sequence_trainer import SequenceTrainer


class SkippingTrainer(SequenceTrainer):
    """`is_bad_step`: the last optimizer step was one of these, on any rank."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.is_bad_step = False
        self._loss = 0.0

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = super().training_step(*args, **kwargs)
        self._loss = float(loss)
        # Transformers sums losses up: one that is no number would stay in the sum.
        return loss if math.isfinite(self._loss) else torch.zeros_like(loss)

    def _clip_grad_norm(self, model: torch.nn.Module) -> Any:
        """Without gradients the optimizer changes nothing, not even its own state."""
        norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        if self.is_deepspeed_enabled:
            self.is_bad_step = deepspeed_skipped(self.model_wrapped, norm)
            return norm
        self.is_bad_step = self._is_bad(norm)
        if self.is_bad_step:
            for parameter in model.parameters():
                parameter.grad = None
        return norm

    def _is_bad(self, norm: Any) -> bool:
        """On any rank."""
        is_bad = not (math.isfinite(self._loss) and math.isfinite(norm or 0.0))
        flag = torch.tensor([float(is_bad)], device=self.accelerator.device)
        return bool(self._gather(flag).any())
