"""Learned weights: GRAIL's mixer, step by step as torch's Adam makes it."""

import pytest
import torch

from plaudit_trainer.learner.weights import LearnedState, LearnedWeights

MEANS = [{"a": 0.2, "b": 0.9}, {"a": 0.3, "b": 0.4}, {"a": 1.0, "b": 0.0}]


def test_they_start_at_the_normalised_weights():
    weights = LearnedWeights({"a": 1.0, "b": 3.0, "c": -1.0}, 0.05).weights()
    assert weights == pytest.approx({"a": 0.25, "b": 0.75, "c": 0.0}, abs=1e-6)


def test_their_steps_are_those_of_autograd_and_adam():
    learned = LearnedWeights({"a": 1.0, "b": 3.0}, 0.05)
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log().requires_grad_()
    adam = torch.optim.Adam([logits], lr=0.05)
    for means in MEANS:
        adam.zero_grad()
        (
            -(logits.softmax(0) * torch.tensor(list(means.values()), dtype=torch.float64)).sum()
        ).backward()
        adam.step()
        learned.step(means)
        assert list(learned.weights().values()) == pytest.approx(logits.softmax(0).tolist(), 1e-9)


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped():
    whole, first = LearnedWeights({"a": 1, "b": 1}, 0.05), LearnedWeights({"a": 1, "b": 1}, 0.05)
    for means in MEANS:
        whole.step(means)
    first.step(MEANS[0])
    kept = LearnedState.model_validate_json(first.state.model_dump_json())
    second = LearnedWeights({"a": 1, "b": 1}, 0.05, kept)
    for means in MEANS[1:]:
        second.step(means)
    assert second.weights() == whole.weights()


def test_a_reward_that_was_missing_throughout_moves_no_logit():
    learned = LearnedWeights({"a": 1.0, "b": 1.0}, 0.05)
    learned.step({"a": 5.0})
    assert learned.weights() == {"a": 0.5, "b": 0.5}
