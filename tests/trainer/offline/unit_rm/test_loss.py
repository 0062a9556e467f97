"""The MaxEnt regulariser: the published vectors, a float64 reference, gradients."""

import math
import random
from typing import Literal

import pytest
import torch

from plaudit.schemas.recipe import UnitRewardModelMethod
from plaudit_trainer.offline.reward_model.loss import pair_rewards
from plaudit_trainer.offline.unit_rm.loss import entropy_shares
from plaudit_trainer.offline.unit_rm.method import unit_loss

Scale = Literal["segments", "log_segments"]


def shares(rewards: list[float], scale: Scale = "segments") -> float:
    rewards_BT = torch.tensor([rewards], dtype=torch.float64)
    return float(entropy_shares(rewards_BT, torch.ones_like(rewards_BT, dtype=torch.bool), scale))


def entropy(rewards: list[float]) -> float:
    total = sum(math.exp(reward) for reward in rewards)
    parts = [math.exp(reward) / total for reward in rewards]
    return -sum(part * math.log(part) for part in parts)


def reference(rewards: list[float], scale: str) -> float:
    if len(rewards) == 1:
        return 0.0
    return entropy(rewards) / (len(rewards) if scale == "segments" else math.log(len(rewards)))


def test_the_published_vectors() -> None:
    assert shares([0.0, 0.0, 0.0]) == pytest.approx(0.3662, abs=5e-5)
    assert shares([2.0, 0.0, -1.0]) == pytest.approx(0.1748, abs=5e-5)


def test_over_its_greatest_value_it_is_between_0_and_1() -> None:
    assert shares([0.0, 0.0, 0.0], "log_segments") == pytest.approx(1.0)
    assert shares([50.0, 0.0, 0.0], "log_segments") == pytest.approx(0.0, abs=1e-6)
    assert shares([3.0], "log_segments") == shares([3.0]) == 0.0


def random_batch(num_pairs: int) -> tuple[torch.Tensor, torch.Tensor, list[list[float]]]:
    """Rewards at all tokens, where segments end, and the rewards there."""
    rng = random.Random(num_pairs)
    rewards_BT = torch.tensor([[rng.gauss(0, 2) for _ in range(12)] for _ in range(2 * num_pairs)])
    ends_BT = torch.zeros_like(rewards_BT, dtype=torch.bool)
    for row in ends_BT:
        row[rng.sample(range(12), rng.randint(1, 12))] = True
    rewards_BT = rewards_BT.double()
    return rewards_BT, ends_BT, [r[e].tolist() for r, e in zip(rewards_BT, ends_BT, strict=True)]


@pytest.mark.parametrize("scale", ["segments", "log_segments"])
@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_the_loss_of_each_pair(scale: str, weight: float) -> None:
    num_pairs = 20
    rewards_BT, ends_BT, segments = random_batch(num_pairs)
    margin_P = torch.rand(num_pairs, dtype=torch.float64)
    method = UnitRewardModelMethod(name="unit_rm", entropy_weight=weight, entropy_scale=scale)
    pairs = pair_rewards(rewards_BT, ends_BT)
    found, _ = unit_loss(method)(rewards_BT, pairs, {"ends": ends_BT, "margin": margin_P})
    for i, value in enumerate(found.tolist()):
        chosen, rejected = segments[i], segments[num_pairs + i]
        advantage = sum(chosen) / len(chosen) - sum(rejected) / len(rejected) - float(margin_P[i])
        regulariser = reference(chosen, scale) + reference(rejected, scale)
        expected = math.log1p(math.exp(-advantage)) - weight * regulariser
        assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("scale", ["segments", "log_segments"])
def test_tokens_that_do_not_count_get_no_gradient(scale: Scale) -> None:
    rewards_BT, ends_BT, _ = random_batch(5)
    rewards_BT.requires_grad_()
    entropy_shares(rewards_BT, ends_BT, scale).sum().backward()
    gradient = rewards_BT.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert (gradient[~ends_BT] == 0).all() and (gradient[ends_BT] != 0).any()
