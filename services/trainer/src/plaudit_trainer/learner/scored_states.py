"""The language model's head sees the hidden states of scored tokens only.

TRL's fused head never holds a batch's logits at once, but where Triton is missing it projects
prompts and padding, too: with a large vocabulary, most of a forward pass on CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel


class ScoredStates:
    """Within `at`, the backbones of attached models return (1, N, D) in place of (B, T, D)."""

    def __init__(self) -> None:
        self._scored_BT: torch.Tensor | None = None

    def attach(self, model: PreTrainedModel) -> None:
        model.base_model.register_forward_hook(self._select)

    @contextmanager
    def at(self, scored_BT: torch.Tensor) -> Iterator[None]:
        self._scored_BT = scored_BT
        try:
            yield
        finally:
            self._scored_BT = None

    def _select(self, module: torch.nn.Module, args: Any, output: Any) -> Any:
        if self._scored_BT is not None:
            hidden_BTD = output.last_hidden_state
            output.last_hidden_state = hidden_BTD[self._scored_BT].unsqueeze(0)
        return output
