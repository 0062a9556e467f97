"""GRPO (DeepSeekMath, arXiv 2402.03300) with the sample standard deviation, as in TRL.

GRAIL and SR-R1 differ in where their rewards come from, not here.
"""

from plaudit.mixing import STD_EPSILON
from plaudit.schemas.recipe import MethodRecipe
from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch
from plaudit_trainer.learner.advantage.groups import group_statistics, of_whole_completions


def estimate(batch: ScoredBatch, method: MethodRecipe) -> Estimate:
    """(R - mean) / (std + 1e-4) within the group, or R - mean where nothing is scaled."""
    group = group_statistics(batch, batch.rewards_B)
    by = group.std_B + STD_EPSILON if method.scale_rewards == "group" else 1.0
    return of_whole_completions(batch, group.deviation_B / by)
