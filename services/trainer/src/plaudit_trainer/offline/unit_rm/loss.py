"""The MaxEnt regulariser: no answer's reward should come from one segment alone.

Tensor shapes: P pairs, B = 2P texts (the chosen ones first), T tokens.
"""

from typing import Literal

import torch


def entropy_shares(
    rewards_BT: torch.Tensor, ends_BT: torch.Tensor, scale: Literal["segments", "log_segments"]
) -> torch.Tensor:
    """(B,): entropy of softmax(segment rewards) over their number, or over its greatest value.

    0 where there is one segment.
    """
    logps_BT = rewards_BT.masked_fill(~ends_BT, -torch.inf).log_softmax(1)
    logps_BT = logps_BT.masked_fill(~ends_BT, 0.0)
    entropy_B = -(logps_BT.exp() * logps_BT).sum(1)
    count_B = ends_BT.sum(1).to(rewards_BT.dtype)
    if scale == "segments":
        return entropy_B / count_B
    return entropy_B / count_B.clamp(min=2.0).log()
