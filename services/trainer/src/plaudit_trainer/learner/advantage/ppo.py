"""PPO (arXiv 1707.06347) with a critic and the KL in the reward, as in InstructGPT and OpenRLHF."""

import torch

from plaudit.schemas.recipe import CriticRecipe, MethodRecipe
from plaudit_trainer.learner.advantage.batch import Estimate, ScoredBatch
from plaudit_trainer.learner.advantage.tokens import (
    generalized_advantages,
    limited_less_kl,
    whitened,
    with_outcome_at_end,
)


def estimate(batch: ScoredBatch, method: MethodRecipe) -> Estimate:
    return with_critic(batch, with_outcome_at_end(batch), method)


def with_critic(batch: ScoredBatch, rewards_BC: torch.Tensor, method: MethodRecipe) -> Estimate:
    """Limit, KL, GAE, whitening: the same for every division of the reward among the tokens."""
    assert batch.values_BC is not None, "the critic's values"
    critic = method.critic or CriticRecipe()
    values_BC = batch.values_BC * batch.mask_BC
    advantages_BC = generalized_advantages(
        limited_less_kl(batch, rewards_BC), values_BC, critic.gamma, critic.gae_lambda
    )
    returns_BC = advantages_BC + values_BC
    if critic.whiten_advantages:
        advantages_BC = whitened(batch, advantages_BC)
    return Estimate(advantages_BC, returns_BC)
