"""Which rewards need more than the worker of `rules`, or more than one completion.

A test of the reward service keeps this equal to its registry.
"""

CODE_REWARDS = frozenset({"binary_code", "code", "codeforces", "ioi_code", "unit_tests"})
"""They run programs in the sandbox."""
DISCRIMINATOR_REWARD = "discriminator"
MODEL_REWARDS = frozenset({DISCRIMINATOR_REWARD, "reward_model", "unit_reward_model"})
"""They run models, or ask vLLM."""
GROUP_REWARDS = frozenset(
    {"completion_intrinsic", "efficient", "group_intrinsic", "length", "voting"}
)
"""They compare the completions of a group, or remember them: one alone gets another value."""
DEFAULT_MODEL = "default"
"""The table [reward.models.NAME] that they use when they name none."""
