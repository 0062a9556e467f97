"""What an advantage estimator sees of a step, and what it gives.

Tensor shapes: B completions of this rank, C tokens of the longest completion. Floats are float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from plaudit.schemas.run import Unit

Gather = Callable[[torch.Tensor], torch.Tensor]
"""Concatenates along the first dimension over all ranks, which call it together."""


@dataclass(frozen=True)
class ScoredBatch:
    """Groups are whole over all ranks together, and may be split between two."""

    rewards_B: torch.Tensor
    """Of whole completions; NaN is missing."""
    token_rewards_BC: torch.Tensor
    """0 where no reward speaks of single tokens."""
    group_B: torch.Tensor
    """Groups are numbered over the whole step."""
    mask_BC: torch.Tensor
    """True at tokens to train on."""
    gather: Gather
    units: Sequence[Sequence[Unit]] = ()
    reward_std: float = 1.0
    """What `rewards_B` was divided by, and the differences of `units` were not."""
    kl_BC: torch.Tensor | None = None
    kl_coefficient: float = 0.0
    values_BC: torch.Tensor | None = None
    """The critic's, of the state before each token."""

    def is_last_BC(self) -> torch.Tensor:
        """The last token of each completion, finished or truncated."""
        columns_C = torch.arange(self.mask_BC.size(1), device=self.mask_BC.device)
        last_B = self.mask_BC.sum(dim=1) - 1
        return columns_C == last_B.unsqueeze(1)

    def sum_over_ranks(self, value: torch.Tensor) -> torch.Tensor:
        return self.gather(value.reshape(1)).sum()


@dataclass(frozen=True)
class Estimate:
    """`returns_BC` is what a critic should have said."""

    advantages_BC: torch.Tensor
    returns_BC: torch.Tensor | None = None
