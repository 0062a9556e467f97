"""Rewards whose pools need more than the worker of `rules`, for those who start workers.

A test of the reward service keeps this equal to its registry.
"""

CODE_REWARDS = frozenset({"binary_code", "code", "codeforces", "ioi_code", "unit_tests"})
"""They run programs in the sandbox."""
MODEL_REWARDS = frozenset({"discriminator", "reward_model", "unit_reward_model"})
"""They run models, or ask vLLM."""
DEFAULT_MODEL = "default"
"""The table [reward.models.NAME] that they use when they name none."""
