"""The loss of `loss_type = "sequence"`: a completion is one action, as in TRL's RLOOTrainer.

Clipped surrogate of the ratio of whole completions; its gradient at the sampling weights is
-A_i grad log pi(o_i) (RLOO, arXiv 2402.14740). Tensor shapes: B completions, C tokens.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class SequenceLoss:
    loss: torch.Tensor
    """Mean over the completions."""
    is_low_clipped_B: torch.Tensor
    is_high_clipped_B: torch.Tensor


def sequence_loss(
    log_ratio_BC: torch.Tensor,
    mask_BC: torch.Tensor,
    advantages_B: torch.Tensor,
    weights_B: torch.Tensor,
    epsilon_low: float,
    epsilon_high: float,
) -> SequenceLoss:
    """`weights_B` multiply each completion's loss (off-policy correction)."""
    ratio_B = (log_ratio_BC * mask_BC).sum(dim=1).exp()
    clipped_B = ratio_B.clamp(1.0 - epsilon_low, 1.0 + epsilon_high)
    gain_B = torch.min(ratio_B * advantages_B, clipped_B * advantages_B)
    return SequenceLoss(
        loss=-(gain_B * weights_B).mean(),
        is_low_clipped_B=(ratio_B < 1.0 - epsilon_low) & (advantages_B < 0),
        is_high_clipped_B=(ratio_B > 1.0 + epsilon_high) & (advantages_B > 0),
    )
