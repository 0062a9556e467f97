"""Unit-level PPO (arXiv 2501.02790): the reward model speaks of segments.

Its rewards arrive per token (`CompletionScore.token_rewards`), divided as the recipe's reward
`unit_reward_model` was asked to; from there on it is PPO.
"""

from plaudit_trainer.learner.advantage.ppo import estimate

__all__ = ["estimate"]
