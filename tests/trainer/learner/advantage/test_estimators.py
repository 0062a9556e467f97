"""Every estimator is its definition: on plain vectors, on random batches, on one rank and two."""

import pytest
import torch

from plaudit.schemas.recipe import MethodRecipe
from plaudit.schemas.run import Unit
from tests.trainer.learner.advantage import reference
from tests.trainer.learner.advantage.conftest import Sample, batch_of

METHODS = ["grpo", "rloo", "reinforce_pp", "ppo", "drca", "unit_ppo"]
COEFFICIENT = 0.05


def method_of(name: str, **options) -> MethodRecipe:
    return MethodRecipe.model_validate({"name": name, **options})


def expected(name: str, samples: list[Sample]) -> list[list[float]]:
    """For each token of each completion."""
    match name:
        case "grpo":
            return for_each_token(reference.grpo(samples), samples)
        case "rloo":
            return for_each_token(reference.rloo(samples, COEFFICIENT), samples)
        case "reinforce_pp":
            return reference.reinforce_pp(samples, COEFFICIENT)
        case "drca":
            rewards = [
                reference.less_kl(s, reference.drca_rewards(s, beta=0.8), COEFFICIENT)
                for s in samples
            ]
            return reference.whitened(samples, reference.ppo(samples, rewards=rewards))
        case _:
            return reference.whitened(samples, reference.ppo(samples, COEFFICIENT))


def for_each_token(advantages: list[float], samples: list[Sample]) -> list[list[float]]:
    return [[a] * s.num_tokens for a, s in zip(advantages, samples, strict=True)]


def assert_tokens(found_BC: torch.Tensor, wanted: list[list[float]]) -> None:
    for row, column in zip(found_BC, wanted, strict=True):
        assert row[: len(column)].tolist() == pytest.approx(column, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", METHODS)
def test_on_random_batches(name, seed, random_samples, estimate):
    samples = with_units(random_samples(seed))
    found = estimate(method_of(name), samples, kl_coefficient=COEFFICIENT).advantages_BC
    assert found.dtype == torch.float64
    assert_tokens(found, expected(name, samples))


@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_find_what_one_finds_though_a_group_lies_on_both(
    name, random_samples, estimate, over_two_ranks
):
    samples = with_units(random_samples(7))
    assert samples[5].group == samples[6].group, "split between the ranks"
    method = method_of(name)
    one = estimate(method, samples, kl_coefficient=COEFFICIENT).advantages_BC
    two = over_two_ranks(method, samples, kl_coefficient=COEFFICIENT)
    for sample, a, b in zip(samples, one, two, strict=True):
        torch.testing.assert_close(a[: sample.num_tokens], b[: sample.num_tokens])


def with_units(samples: list[Sample]) -> list[Sample]:
    """Every other completion has some."""
    for sample in samples[::2]:
        middle = max(1, sample.num_tokens // 2)
        sample.units = [
            Unit(start=0, end=middle, difference=1.5),
            Unit(start=middle, end=sample.num_tokens + 3, difference=-0.5),
            Unit(start=0, end=1, difference=None),
        ]
    return samples


@pytest.mark.parametrize("name", METHODS)
def test_a_step_in_which_all_is_equal_moves_nothing_by_its_rewards(name, estimate):
    samples = [Sample(0.1, 0, 3, values=[0.1] * 3) for _ in range(4)]
    found = estimate(method_of(name, critic=None), samples).advantages_BC
    if name in ("grpo", "rloo"):
        assert not found.any(), "not even by rounding"
    elif name == "reinforce_pp":
        assert found.abs().max() < 1e-9
    else:
        assert found.std(dim=0).max() == 0.0, "no completion is better than another"


def test_grpo_unscaled_is_the_distance_from_the_mean(estimate):
    samples = [Sample(1.0, 0, 1), Sample(0.0, 0, 2)]
    found = estimate(method_of("grpo", scale_rewards="none"), samples).advantages_BC
    assert found.tolist() == [[0.5, 0.5], [-0.5, -0.5]]


def test_rloo_counts_the_kl_of_a_whole_completion(estimate):
    samples = [Sample(1.0, 0, 2, kl=[1.0, 3.0]), Sample(1.0, 0, 1, kl=[0.0])]
    found = estimate(method_of("rloo"), samples, kl_coefficient=0.5).advantages_BC
    assert found[:, 0].tolist() == [-2.0, 2.0]


def test_a_truncated_completion_gets_its_reward_at_its_last_token(estimate):
    """Nothing says that it goes on: V after it is 0."""
    critic = {"gae_lambda": 0.0, "whiten_advantages": False}
    samples = [Sample(2.0, 0, 2, values=[0.5, 0.25]), Sample(0.0, 1, 3, values=[1.0, 1.0, 1.0])]
    found = estimate(method_of("ppo", critic=critic), samples)
    assert found.advantages_BC.tolist() == [[-0.25, 1.75, 0.0], [0.0, 0.0, -1.0]]
    assert found.returns_BC.tolist() == [[0.25, 2.0, 0.0], [1.0, 1.0, 0.0]]


def test_a_tokens_reward_is_limited_before_the_kl_is_taken_off(estimate):
    critic = {"gae_lambda": 1.0, "whiten_advantages": False}
    samples = [Sample(50.0, 0, 1, values=[0.0], kl=[1.0])]
    found = estimate(method_of("ppo", critic=critic), samples, kl_coefficient=2.0)
    assert found.advantages_BC.item() == 8.0


DRCA = {"critic": {"gae_lambda": 0.0, "whiten_advantages": False}}


def test_drca_on_the_published_vector(estimate):
    """R = 2, masked 0.5 and 1.2, lengths 4 and 5, beta 0.8."""
    units = [Unit(start=0, end=4, difference=1.5), Unit(start=4, end=9, difference=0.8)]
    sample = Sample(2.0, 0, 10, values=[0.0] * 10, units=units)
    found = estimate(method_of("drca", **DRCA), [sample]).advantages_BC[0]
    assert found.tolist() == pytest.approx([0.3] * 4 + [0.128] * 5 + [0.4])
    assert found.sum() == pytest.approx(2.24)


def test_drca_keeps_the_outcome_of_a_completion_without_units_beside_one_with(estimate):
    with_one = Sample(2.0, 0, 2, values=[0.0] * 2, units=[Unit(start=0, end=1, difference=1.0)])
    unknown = Sample(2.0, 0, 2, values=[0.0] * 2, units=[Unit(start=0, end=1, difference=None)])
    without = Sample(2.0, 0, 2, values=[0.0] * 2)
    found = estimate(method_of("drca", **DRCA), [with_one, unknown, without]).advantages_BC
    assert found.tolist() == [pytest.approx([0.8, 0.4]), [0.0, 2.0], [0.0, 2.0]]


def test_drca_scales_differences_as_the_rewards_were(estimate):
    unit = Unit(start=0, end=1, difference=1.0)
    sample = Sample(2.0, 0, 2, values=[0.0] * 2, units=[unit])
    found = estimate(method_of("drca", **DRCA), [sample], reward_std=4.0).advantages_BC
    assert found[0].tolist() == pytest.approx([0.2, 0.4])


def test_the_last_token_is_that_of_the_mask():
    samples = [Sample(1.0, 0, 3), Sample(1.0, 0, 1), Sample(None, 0, 2, is_masked=True)]
    is_last = batch_of(samples).is_last_BC().tolist()
    assert is_last == [[False, False, True], [True, False, False], [False] * 3]
