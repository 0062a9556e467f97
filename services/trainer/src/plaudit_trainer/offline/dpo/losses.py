"""Losses of pairs, from the log-probabilities of their answers.

Names, formulas and sources are those of TRL 1.16, with two differences: `label_smoothing` works for
`sigmoid`, too (cDPO, arXiv 2305.18290 eq. 7), and `ipo` takes log-probabilities as they come, sums
or means over an answer's tokens. TRL has means for `ipo` alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from plaudit.schemas.recipe.offline import DpoLoss

DISCOPOP_TAU = 0.05
"""The paper's (arXiv 2406.08414)."""


class LogProbs(NamedTuple):
    """Of P pairs, each (P,)."""

    chosen: Tensor
    rejected: Tensor


def pair_losses(
    loss_type: DpoLoss,
    policy: LogProbs,
    reference: LogProbs,
    beta: float,
    label_smoothing: float,
) -> Tensor:
    """(P,)"""
    chosen, rejected = policy.chosen - reference.chosen, policy.rejected - reference.rejected
    good, bad = beta * chosen, beta * rejected
    margin = good - bad
    match loss_type:
        case "sigmoid":
            return _smoothed(margin, label_smoothing)
        case "hinge":
            return torch.relu(1 - margin)
        case "ipo":
            return (chosen - rejected - 1 / (2 * beta)) ** 2
        case "robust":
            flipped = label_smoothing * logsigmoid(-margin)
            return (flipped - (1 - label_smoothing) * logsigmoid(margin)) / (
                1 - 2 * label_smoothing
            )
        case "exo_pair":
            return _exo(margin, label_smoothing)
        case "nca_pair":
            return -logsigmoid(good) - 0.5 * logsigmoid(-good) - 0.5 * logsigmoid(-bad)
        case "bco_pair":
            return -logsigmoid(good) - logsigmoid(-bad)
        case "sppo_hard":
            return (chosen - 0.5 / beta) ** 2 + (rejected + 0.5 / beta) ** 2
        case "aot":
            of_policy = (policy.chosen - policy.rejected).sort().values
            of_reference = (reference.chosen - reference.rejected).sort().values
            return _smoothed(beta * (of_policy - of_reference), label_smoothing)
        case "aot_unpaired":
            return _smoothed(good.sort().values - bad.sort().values, label_smoothing)
        case "apo_zero":
            return torch.sigmoid(-good) + torch.sigmoid(bad)
        case "apo_down":
            return torch.sigmoid(good) + torch.sigmoid(-margin)
        case "discopop":
            share = torch.sigmoid(margin / DISCOPOP_TAU)
            return (1 - share) * -logsigmoid(margin) + share * torch.exp(-margin)


def _smoothed(margin: Tensor, label_smoothing: float) -> Tensor:
    """`label_smoothing`: how probable it is that a pair is the wrong way round."""
    return -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)


def _exo(margin: Tensor, label_smoothing: float) -> Tensor:
    """KL from the policy's choice to the labels', arXiv 2402.00856 eq. 16."""
    wrong = torch.tensor(label_smoothing, dtype=margin.dtype, device=margin.device)
    right_term = torch.sigmoid(margin) * (logsigmoid(margin) - torch.log1p(-wrong))
    return right_term + torch.sigmoid(-margin) * (logsigmoid(-margin) - torch.log(wrong))
