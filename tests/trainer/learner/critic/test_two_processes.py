"""A critic, and group statistics, on two processes: what one process learns."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from plaudit.local.learner import learner_env

TORCHRUN = (str(Path(sys.executable).parent / "torchrun"), "--standalone", "--nproc_per_node=2")
NO_GPU = {"ACCELERATE_USE_CPU": "false", "CUDA_VISIBLE_DEVICES": ""}
METHOD = {
    "name": "ppo",
    "learning_rate": 1e-3,
    "kl": {"coefficient": 0.05, "target": 0.5, "horizon": 100},
    "critic": {"learning_rate": 1e-3, "normalize_rewards": True},
}

pytestmark = [pytest.mark.timeout(600), pytest.mark.distributed]


@pytest.mark.parametrize("strategy", ["zero3"])
def test_two_processes_learn_what_one_learns(
    train_here, learner, ledger, make_recipe, make_group, make_run_dir, strategy
):
    """The middle group of a step lies on both of them."""
    run_dirs: list[Path] = []
    for parts in ({}, {"num_processes": 2, "strategy": strategy}):
        recipe = make_recipe(
            method=METHOD,
            budget={"steps": 2},
            pipeline={"groups_per_step": 3, "stall_timeout_s": 300},
            learner=parts,
        )
        run_dirs.append(make_run_dir(recipe, str(len(run_dirs))))
        ledger.fill([make_group(number) for number in range(6)])
        if parts:
            env = {**NO_GPU, **learner_env(recipe.learner, has_gpu=False)}
            code, output = learner.run(run_dirs[-1], *TORCHRUN, **env)
            assert code == 0, output
        else:
            train_here(run_dirs[-1])
        ledger.client.flushall()
    assert_same(*run_dirs)


def assert_same(one: Path, two: Path) -> None:
    expected, found = (load_file(path / "final" / "model.safetensors") for path in (one, two))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0, msg=name)
    lines = [
        json.loads((path / "metrics.jsonl").read_text().splitlines()[-1]) for path in (one, two)
    ]
    for name in ("advantage", "kl", "kl_coefficient", "returns", "value_loss"):
        assert lines[1][name] == pytest.approx(lines[0][name], rel=1e-3, abs=1e-6), name
