"""REINFORCE++ (arXiv 2501.03262): returns of token rewards, normalised over the whole step."""

from plaudit.schemas.recipe import MethodRecipe
from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch
from plaudit_trainer.learner.advantage.tokens import (
    limited_less_kl,
    returns_to_go,
    whitened,
    with_outcome_at_end,
)


def estimate(batch: ScoredBatch, method: MethodRecipe) -> Estimate:
    rewards_BC = limited_less_kl(batch, with_outcome_at_end(batch))
    return Estimate(whitened(batch, returns_to_go(rewards_BC)))
