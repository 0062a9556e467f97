"""The distance to the reference, and the coefficient that is steered to a target."""

import math

import pytest
import torch

from plaudit.schemas.recipe import KlRecipe
from plaudit_trainer.learner.advantage.kl import KlController, kl_estimates

POLICY, REFERENCE = torch.tensor([[-1.0, -2.0]]).double(), torch.tensor([[-2.0, -1.5]]).double()


@pytest.mark.parametrize(
    ("estimator", "wanted"),
    [
        ("k1", [1.0, -0.5]),
        ("k2", [0.5, 0.125]),
        ("k3", [math.exp(-1.0), math.exp(0.5) - 1 - 0.5]),
    ],
)
def test_estimators(estimator, wanted):
    found = kl_estimates(POLICY, REFERENCE, KlRecipe(estimator=estimator))
    assert found[0].tolist() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_one_token_cannot_outweigh_all_others(estimator):
    apart = torch.tensor([[100.0, -100.0]]).double()
    found = kl_estimates(apart, torch.zeros(1, 2).double(), KlRecipe(estimator=estimator, clip=3.0))
    assert found.abs().max() == 3.0


@pytest.mark.parametrize(("kl", "factor"), [(6.0, 1.0), (6.6, 1.001), (60.0, 1.002), (0.0, 0.998)])
def test_the_coefficient_follows_the_error_but_no_faster_than_a_fifth(kl, factor):
    recipe = KlRecipe(target=6.0, horizon=10_000)
    found = KlController(coefficient=0.2).after(recipe, kl, num_completions=100)
    assert found.coefficient == pytest.approx(0.2 * factor)


def test_without_a_target_it_is_fixed():
    assert KlController(coefficient=0.2).after(KlRecipe(), 99.0, 100).coefficient == 0.2
