"""The distance to the reference model, per token, and what steers its coefficient."""

import torch

from plaudit.schemas.common import Contract
from plaudit.schemas.recipe import KlRecipe

LARGEST_CHANGE = 0.2
"""Relative error of the KL beyond which the coefficient moves no faster (arXiv 1909.08593)."""


def kl_estimates(
    policy_BC: torch.Tensor, reference_BC: torch.Tensor, recipe: KlRecipe
) -> torch.Tensor:
    """From log-probabilities: k1, k2 or k3 (http://joschu.net/blog/kl-approx.html), bounded."""
    log_ratio_BC = policy_BC - reference_BC
    match recipe.estimator:
        case "k1":
            estimates_BC = log_ratio_BC
        case "k2":
            estimates_BC = log_ratio_BC.square() / 2
        case "k3":
            estimates_BC = k3(log_ratio_BC)
    return estimates_BC.clamp(-recipe.clip, recipe.clip)


def k3(log_ratio_BC: torch.Tensor) -> torch.Tensor:
    """Never below 0."""
    return (-log_ratio_BC).expm1() + log_ratio_BC


class KlController(Contract):
    """The coefficient, steered to `target` where there is one. A checkpoint keeps it."""

    coefficient: float

    def after(self, recipe: KlRecipe, kl: float, num_completions: int) -> "KlController":
        """`kl` is the mean over completions of the sum over their tokens."""
        if recipe.target is None:
            return self
        error = max(-LARGEST_CHANGE, min(LARGEST_CHANGE, kl / recipe.target - 1.0))
        factor = 1.0 + error * num_completions / recipe.horizon
        return KlController(coefficient=self.coefficient * factor)
