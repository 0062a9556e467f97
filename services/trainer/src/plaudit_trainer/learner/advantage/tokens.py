"""Rewards per token, and what follows from them.

Tensor shapes: B completions, C tokens of a completion, padded right.
"""

import torch

from plaudit_trainer.learner.advantage.batch import ScoredBatch

TOKEN_REWARD_LIMIT = 10.0
"""A token's reward, KL aside, stays within this of 0 (OpenRLHF's PPO)."""
SMALLEST_VARIANCE = 1e-8


def with_outcome_at_end(batch: ScoredBatch) -> torch.Tensor:
    """Token rewards, and the completion's own at its last token. NaN counts nothing: masked."""
    outcome_B1 = batch.rewards_B.nan_to_num(nan=0.0).unsqueeze(1)
    return batch.token_rewards_BC + outcome_B1 * batch.is_last_BC()


def limited_less_kl(batch: ScoredBatch, rewards_BC: torch.Tensor) -> torch.Tensor:
    """Kept within the limit, then less the distance to the reference model."""
    limited_BC = rewards_BC.clamp(-TOKEN_REWARD_LIMIT, TOKEN_REWARD_LIMIT)
    if batch.kl_BC is not None:
        limited_BC = limited_BC - batch.kl_coefficient * batch.kl_BC
    return limited_BC * batch.mask_BC


def generalized_advantages(
    rewards_BC: torch.Tensor, values_BC: torch.Tensor, gamma: float, gae_lambda: float
) -> torch.Tensor:
    """GAE (arXiv 1506.02438). Both are 0 where masked.

    Nothing follows the last token, be the completion truncated or not: its reward is that of the
    text as it stands.
    """
    advantages_BC = torch.zeros_like(rewards_BC)
    next_value_B = next_advantage_B = rewards_BC.new_zeros(len(rewards_BC))
    for column in reversed(range(rewards_BC.size(1))):
        delta_B = rewards_BC[:, column] + gamma * next_value_B - values_BC[:, column]
        next_advantage_B = delta_B + gamma * gae_lambda * next_advantage_B
        next_value_B = values_BC[:, column]
        advantages_BC[:, column] = next_advantage_B
    return advantages_BC


def returns_to_go(rewards_BC: torch.Tensor) -> torch.Tensor:
    return rewards_BC.flip(1).cumsum(dim=1).flip(1)


def whitened(batch: ScoredBatch, values_BC: torch.Tensor) -> torch.Tensor:
    """Mean 0 and variance 1 over all tokens of all ranks; 0 where masked."""
    mask_BC = batch.mask_BC
    num_tokens = batch.sum_over_ranks(mask_BC.sum()).clamp(min=1)
    mean = batch.sum_over_ranks((values_BC * mask_BC).sum()) / num_tokens
    centred_BC = (values_BC - mean) * mask_BC
    variance = batch.sum_over_ranks(centred_BC.square().sum()) / num_tokens
    return centred_BC * variance.clamp(min=SMALLEST_VARIANCE).rsqrt()
