"""Every method trains through the whole learner, and goes on after a stop as if there was none."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from plaudit.errors import Stalled
from plaudit.schemas.run import Unit

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

KL = {"coefficient": 0.05, "target": 0.5, "horizon": 100}
CRITIC = {"learning_rate": 1e-2, "warmup_steps": 1, "normalize_rewards": True}
METHODS = {
    "rloo": {"name": "rloo", "kl": KL},
    "reinforce_pp": {"name": "reinforce_pp", "kl": KL, "proximal": "engine"},
    "ppo": {"name": "ppo", "kl": KL, "critic": CRITIC, "num_iterations": 2},
    "drca": {"name": "drca", "critic": {"learning_rate": 1e-2}},
    "unit_ppo": {"name": "unit_ppo", "off_policy_mask_threshold": 0.5},
}
NAMES = {
    "reward", "advantage", "kl", "kl_coefficient", "entropy", "clip_fraction", "value_loss",
    "value_clip_fraction", "explained_variance", "returns", "skipped_steps",
}  # fmt: skip


@pytest.fixture
def make_groups(make_group):
    """Groups with whatever a method looks at."""

    def make(first: int, count: int):
        return [_with_units_and_token_rewards(make_group(n)) for n in range(first, first + count)]

    return make


def _with_units_and_token_rewards(group):
    completions = group.rollout.completions
    scores = [
        score.model_copy(
            update={"token_rewards": {"format": [0.1 * n for n in completion.token_ids]}}
        )
        for score, completion in zip(group.scores, completions, strict=True)
    ]
    units = [
        [Unit(start=0, end=1, difference=0.5)] if len(c.token_ids) > 3 else [] for c in completions
    ]
    return group.model_copy(update={"scores": scores, "units": units})


def lines(run_dir: Path) -> list[dict]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["drca", "reinforce_pp", "unit_ppo"])
def test_it_trains(train_here, ledger, make_recipe, make_groups, make_run_dir, name):
    run_dir = make_run_dir(make_recipe(method=METHODS[name], budget={"steps": 1}))
    ledger.fill(make_groups(0, 2))
    train_here(run_dir)
    [line] = lines(run_dir)
    assert line.keys() >= NAMES
    assert line["grad_norm"] > 0.0
    assert line["skipped_steps"] == 0


@pytest.mark.parametrize("name", ["rloo", "ppo"])
def test_a_stopped_run_goes_on_bit_for_bit(
    train_here, ledger, make_recipe, make_groups, make_run_dir, name
):
    recipe = make_recipe(
        method=METHODS[name],
        budget={"steps": 4, "checkpoint_every_steps": 2},
        pipeline={"stall_timeout_s": 0.3},
    )
    whole = make_run_dir(recipe, "whole")
    ledger.fill(make_groups(0, 8))
    train_here(whole)
    ledger.client.flushall()

    # It stops while it waits for step 4, one step after its checkpoint.
    stopped = make_run_dir(recipe, "stopped")
    ledger.fill(make_groups(0, 6))
    with pytest.raises(Stalled):
        train_here(stopped)
    ledger.fill(make_groups(6, 2))
    train_here(stopped)

    for step in (1, 2, 3, 4):
        expected, found = lines(whole)[step - 1], lines(stopped)[step - 1]
        assert {k: found[k] for k in NAMES} == {k: expected[k] for k in NAMES}
    weights = [load_file(run_dir / "final" / "model.safetensors") for run_dir in (whole, stopped)]
    assert all(torch.equal(weights[1][key], tensor) for key, tensor in weights[0].items())
    states = [
        torch.load(run_dir / "checkpoints/step-000004/method.pt") for run_dir in (whole, stopped)
    ]
    assert (states[0]["kl"], states[0]["moments"]) == (states[1]["kl"], states[1]["moments"])
    if states[0]["critic"]:
        models = [state["critic"]["model"] for state in states]
        assert all(torch.equal(models[1][key], tensor) for key, tensor in models[0].items())


def test_figures_have_the_same_names_in_all_methods_and_null_where_there_is_none(
    train_here, ledger, make_recipe, make_groups, make_run_dir
):
    found = {}
    for name in ("grpo", "ppo"):
        method = METHODS.get(name, {"name": name})
        run_dir = make_run_dir(make_recipe(method=method, budget={"steps": 2}), name)
        ledger.fill(make_groups(0, 4))
        train_here(run_dir)
        ledger.client.flushall()
        found[name] = lines(run_dir)[-1]
    assert found["grpo"].keys() == found["ppo"].keys()
    assert {key for key in NAMES if found["ppo"][key] is None} == set()
    of_the_critic = {"value_loss", "value_clip_fraction", "explained_variance", "returns"}
    nothing = {key for key in NAMES if found["grpo"][key] is None}
    assert nothing == {"kl", "kl_coefficient"} | of_the_critic
    assert found["ppo"]["advantage"]["std"] == pytest.approx(1.0, abs=1e-3)


def test_the_policy_stands_still_while_the_critic_warms_up(
    train_here, ledger, make_recipe, make_groups, make_run_dir
):
    method = {"name": "ppo", "critic": {"warmup_steps": 2, "learning_rate": 1e-2}}
    run_dir = make_run_dir(make_recipe(method=method, budget={"steps": 3}))
    ledger.fill(make_groups(0, 6))
    train_here(run_dir)
    policies = [load_file(run_dir / f"policies/v{n:06d}/model.safetensors") for n in range(4)]
    moved = [
        any(not torch.equal(after[key], tensor) for key, tensor in before.items())
        for before, after in itertools.pairwise(policies)
    ]
    assert moved == [False, False, True]
    losses = [line["value_loss"] for line in lines(run_dir)]
    assert all(loss > 0 for loss in losses)


def test_beneath_an_adapter_the_reference_is_the_policy_before_the_run(
    train_here, ledger, make_recipe, make_groups, make_run_dir
):
    recipe = make_recipe(
        method={"name": "rloo", "kl": {"estimator": "k3"}},
        model={"lora": {"rank": 4}},
        budget={"steps": 2},
    )
    run_dir = make_run_dir(recipe)
    ledger.fill(make_groups(0, 4))
    train_here(run_dir)
    first, second = (line["kl"] for line in lines(run_dir))
    assert first == pytest.approx(0.0, abs=1e-6)
    assert second > 1e-4
