"""Statistics of the groups of a step, whichever rank their completions are on.

Tensor shapes: B completions of this rank, A of all ranks, G groups.
"""

from dataclasses import dataclass

import torch

from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch


@dataclass(frozen=True)
class GroupStatistics:
    """For each completion of this rank, over the known values of its group."""

    deviation_B: torch.Tensor
    """From the mean; NaN where the value is missing."""
    std_B: torch.Tensor
    """Sample standard deviation; NaN below two values."""
    count_B: torch.Tensor


def group_statistics(batch: ScoredBatch, values_B: torch.Tensor) -> GroupStatistics:
    values_A, group_A = batch.gather(values_B), batch.gather(batch.group_B)
    groups_G = torch.arange(int(group_A.max()) + 1, device=group_A.device)
    values_GA = values_A.where(groups_G.unsqueeze(1) == group_A, torch.nan)
    count_G = (~values_GA.isnan()).sum(dim=1)
    # Values are counted from the smallest, so that equal ones deviate by 0 and not by rounding.
    smallest_G = values_GA.nan_to_num(nan=torch.inf).amin(dim=1)
    mean_G = (values_GA - smallest_G.unsqueeze(1)).nanmean(dim=1)
    squares_GA = (values_GA - smallest_G.unsqueeze(1) - mean_G.unsqueeze(1)).square()
    std_G = (squares_GA.nansum(dim=1) / (count_G - 1)).sqrt()
    own = batch.group_B
    return GroupStatistics(
        deviation_B=values_B - smallest_G[own] - mean_G[own],
        std_B=std_G[own],
        count_B=count_G[own],
    )


def of_whole_completions(batch: ScoredBatch, advantages_B: torch.Tensor) -> Estimate:
    """The same for each token; 0 where nothing can be said."""
    advantages_B1 = advantages_B.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).unsqueeze(1)
    return Estimate(advantages_B1.expand(batch.mask_BC.shape))
