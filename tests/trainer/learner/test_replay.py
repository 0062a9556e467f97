"""A run that trains again on earlier groups: counted apart, and the same after a resume."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from plaudit.errors import ConfigError, Stalled
from plaudit_trainer.learner.arguments import split_batch
from tests.trainer.learner.written import metrics

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.timeout(300),
]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(run_dir / "final" / "model.safetensors")


@pytest.fixture
def replaying(make_recipe):
    def make(**parts):
        pipeline = {"replay": {"groups_per_step": 1}, "stall_timeout_s": 2.0}
        return make_recipe(pipeline=pipeline, **parts)

    return make


def test_replayed_groups_are_trained_beside_the_new_ones_and_counted_apart(
    train_here, ledger, replaying, make_recipe, make_group, make_run_dir
):
    groups = [make_group(number) for number in range(8)]
    ledger.fill(groups)
    train_here(run_dir := make_run_dir(replaying(), "replaying"))
    lines = metrics(run_dir)
    assert [line["replay"]["groups"] for line in lines] == [0, 1, 1, 1]
    assert [line["replay"]["size"] for line in lines] == [2, 4, 6, 8]
    assert [line["num_groups"] for line in lines] == [2, 2, 2, 2]
    assert ledger.counts().trained == 8

    ledger.client.flushall()
    ledger.fill(groups)
    train_here(plain := make_run_dir(make_recipe(), "plain"))
    assert "replay" not in metrics(plain)[0]
    assert metrics(plain)[0]["loss"] == lines[0]["loss"]
    assert metrics(plain)[1]["loss"] != lines[1]["loss"]


def test_a_resumed_run_replays_the_same_groups(
    train_here, ledger, replaying, make_group, make_run_dir
):
    recipe = replaying(budget={"steps": 4, "checkpoint_every_steps": 2})
    groups = [make_group(number) for number in range(8)]
    ledger.fill(groups)
    train_here(whole := make_run_dir(recipe, "whole"))

    ledger.client.flushall()
    ledger.fill(groups[:6])
    with pytest.raises(Stalled):
        train_here(halted := make_run_dir(recipe, "halted"))
    ledger.fill(groups[6:])
    train_here(halted)
    assert [line["loss"] for line in metrics(halted)] == [line["loss"] for line in metrics(whole)]
    for name, tensor in weights(whole).items():
        assert torch.equal(weights(halted)[name], tensor), name


def test_the_best_checkpoint_is_kept_and_the_metrics_go_to_trackers(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    budget = {"checkpoint_every_steps": 1, "keep_checkpoints": 1, "best_by": "reward"}
    recipe = make_recipe(budget=budget, tracking={"tensorboard": True})
    ledger.fill([make_group(number) for number in range(8)])
    train_here(run_dir := make_run_dir(recipe))
    rewards = {line["step"]: line["reward"] for line in metrics(run_dir)}
    best = max(rewards, key=lambda step: rewards[step])
    assert (run_dir / "checkpoints" / "best").resolve().name == f"step-{best:06d}"
    assert list((run_dir / "tensorboard").glob("events.*"))


def test_processes_must_divide_what_is_replayed(make_recipe):
    recipe = make_recipe(pipeline={"replay": {"groups_per_step": 3}, "groups_per_step": 8})
    with pytest.raises(ConfigError, match=r"does not divide the 12 completions.*replays"):
        split_batch(recipe, 8)
