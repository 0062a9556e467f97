"""Bradley-Terry: how likely the chosen answer is to be preferred.

Tensor shapes: P pairs, B = 2P texts (the chosen ones first), T tokens.
"""

from typing import NamedTuple

import torch
from torch.nn.functional import logsigmoid, softplus


class PairRewards(NamedTuple):
    chosen_P: torch.Tensor
    rejected_P: torch.Tensor


def pair_rewards(rewards_BT: torch.Tensor, ends_BT: torch.Tensor) -> PairRewards:
    """The mean over the tokens whose rewards count."""
    rewards_B = (rewards_BT * ends_BT).sum(1) / ends_BT.sum(1)
    return PairRewards(*rewards_B.chunk(2))


def bradley_terry(found: PairRewards, margin_P: torch.Tensor, loss_type: str) -> torch.Tensor:
    """(P,). `logexp` is log(1 + exp(-x)), which is -log sigmoid(x) by another name."""
    advantage_P = found.chosen_P - found.rejected_P - margin_P
    return softplus(-advantage_P) if loss_type == "logexp" else -logsigmoid(advantage_P)
