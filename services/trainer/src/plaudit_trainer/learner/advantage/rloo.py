"""RLOO (arXiv 2402.14740): a completion's reward less the mean of the others of its group."""

from plaudit.schemas.recipe import MethodRecipe
from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch
from plaudit_trainer.learner.advantage.groups import group_statistics, of_whole_completions


def estimate(batch: ScoredBatch, method: MethodRecipe) -> Estimate:
    """R_i - mean of the other R_j = k / (k - 1) (R_i - mean); the KL is part of R."""
    rewards_B = batch.rewards_B
    if batch.kl_BC is not None:
        rewards_B = rewards_B - batch.kl_coefficient * (batch.kl_BC * batch.mask_BC).sum(dim=1)
    group = group_statistics(batch, rewards_B)
    return of_whole_completions(batch, group.deviation_B * group.count_B / (group.count_B - 1))
