"""Bradley-Terry against float64 references, and against TRL's reward trainer."""

import math
import random

import pytest
import torch

from plaudit_trainer.offline.reward_model.batch import PairCollator, Side, last_tokens
from plaudit_trainer.offline.reward_model.loss import PairRewards, bradley_terry, pair_rewards

PAD = 0


def reference(chosen: float, rejected: float, margin: float) -> float:
    return math.log1p(math.exp(rejected - chosen + margin))


@pytest.mark.parametrize("loss_type", ["sigmoid", "logexp"])
def test_the_loss_of_each_pair(loss_type: str) -> None:
    rng = random.Random(0)
    pairs = [(rng.gauss(0, 3), rng.gauss(0, 3), rng.uniform(0, 2)) for _ in range(50)]
    chosen, rejected, margin = torch.tensor(pairs, dtype=torch.float64).T
    found = bradley_terry(PairRewards(chosen, rejected), margin, loss_type)
    assert found.tolist() == pytest.approx([reference(*pair) for pair in pairs], abs=1e-6)


@pytest.mark.parametrize("loss_type", ["sigmoid", "logexp"])
def test_far_apart_rewards_overflow_nothing(loss_type: str) -> None:
    pairs = PairRewards(torch.tensor([1000.0, -1000.0]), torch.tensor([-1000.0, 1000.0]))
    assert bradley_terry(pairs, torch.zeros(2), loss_type).tolist() == [0.0, 2000.0]


def test_a_reward_is_the_mean_over_the_tokens_that_count() -> None:
    rewards_BT = torch.tensor([[1.0, 2.0, 4.0, 9.0], [5.0, 7.0, 9.0, 9.0]])
    ends_BT = torch.tensor([[True, False, True, False], [False, True, False, False]])
    found = pair_rewards(rewards_BT, ends_BT)
    assert (found.chosen_P.tolist(), found.rejected_P.tolist()) == ([2.5], [7.0])


def test_a_batch_has_the_chosen_answers_first_and_padding_on_the_right() -> None:
    rows = [
        {"chosen_ids": [5, 6, 1], "rejected_ids": [5, 1], "num_prompt_tokens": 1, "margin": 0.5},
        {"chosen_ids": [7, 1], "rejected_ids": [7, 8, 9, 1], "num_prompt_tokens": 1, "margin": 0.0},
    ]
    batch = PairCollator(PAD, last_tokens)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 1, 0], [7, 1, 0, 0], [5, 1, 0, 0], [7, 8, 9, 1]]
    assert batch["attention_mask"].sum(1).tolist() == [3, 2, 2, 4]
    assert batch["ends"].nonzero().tolist() == [[0, 2], [1, 1], [2, 1], [3, 3]]
    assert batch["margin"].tolist() == [0.5, 0.0]


def test_a_padding_token_that_is_eos_too_hides_no_end() -> None:
    """Hugging Face's classifiers look for the last token that is not padding."""
    assert last_tokens([Side([5, 6, PAD], 1)]) == [[2]]
