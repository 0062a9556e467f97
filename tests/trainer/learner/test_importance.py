"""What is measured of the gap between the engine and the learner."""

import pytest
import torch
from accelerate import Accelerator

from plaudit.schemas.recipe import ImportanceSampling
from plaudit_trainer.learner.importance import EngineGap, importance_weights, log_ratios

MASK = torch.tensor([[1, 1], [1, 0]])
LEARNER = torch.tensor([[-1.0, -2.0], [-1.0, 5.0]])
ENGINE = torch.tensor([[-1.0, -3.0], [-1.0, 0.0]])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"level": "token", "mode": "truncate"}, [[1.0, 2.0], [1.0, 1.0]]),
        ({"level": "token", "mode": "mask"}, [[1.0, 0.0], [1.0, 1.0]]),
        ({"level": "sequence", "mode": "truncate"}, [[2.0], [1.0]]),
        ({"level": "sequence", "mode": "mask"}, [[0.0], [1.0]]),
    ],
)
def test_weights_are_bounded_and_blind_to_padding(options, expected):
    weights = importance_weights(LEARNER, ENGINE, MASK, ImportanceSampling(cap=2.0, **options))
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_a_token_that_the_engine_could_not_score_gets_no_correction():
    engine = ENGINE.clone()
    engine[0, 1] = float("nan")
    options = ImportanceSampling(level="token")
    assert importance_weights(LEARNER, engine, MASK, options).tolist() == [[1, 1], [1, 1]]


def test_figures_are_means_over_the_tokens_of_all_passes():
    gap = EngineGap(Accelerator(cpu=True))
    assert gap.drain() is None
    weights = importance_weights(LEARNER, ENGINE, MASK, ImportanceSampling(cap=2.0))
    ratios = log_ratios(LEARNER, ENGINE, MASK)
    gap.add(ratios, weights, MASK, torch.tensor([False, True]), 2.0)
    gap.add(torch.zeros(1, 3), torch.ones(1, 3), torch.ones(1, 3), torch.tensor([True]), 2.0)
    figures = gap.drain()
    assert figures["gap_mean"] == pytest.approx(1 / 6)
    assert figures["kl"] == pytest.approx((torch.e - 2) / 6)
    assert figures["weight_mean"] == pytest.approx((1 + 2 + 1 + 3) / 6)
    assert figures["bounded_share"] == pytest.approx(1 / 6)
    assert figures["on_policy_gap_max"] == 0.0
    assert gap.drain() is None
