"""Two processes, and DeepSpeed, on CPU."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from plaudit.local.learner import learner_env
from tests.trainer.learner.groups import with_impossible_logprobs
from tests.trainer.learner.published import assert_proven
from tests.trainer.learner.written import metrics

SCRIPTS = Path(sys.executable).parent
TORCHRUN = (str(SCRIPTS / "torchrun"), "--standalone", "--nproc_per_node=2")
ACCELERATE = (str(SCRIPTS / "accelerate"), "launch")
NO_GPU = {"ACCELERATE_USE_CPU": "false", "CUDA_VISIBLE_DEVICES": ""}

GROUPS_PER_STEP = 16

pytestmark = [pytest.mark.timeout(600), pytest.mark.distributed]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(run_dir / "final" / "model.safetensors")


def is_alive_in(run_dir: Path) -> bool:
    """Whether a learner of this run is left: workers must not outlive their launcher."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if str(run_dir).encode() in path.read_bytes():
                return True
    return False


def wait_until(condition, process=None, *, timeout_s: float = 240) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert process is None or process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def assert_close(found: Path, expected: Path) -> None:
    for name, tensor in weights(expected).items():
        torch.testing.assert_close(weights(found)[name], tensor, atol=1e-5, rtol=0, msg=name)


@pytest.fixture
def one_process(train_here, ledger, make_recipe, make_group, make_run_dir) -> Path:
    """What a single process without DeepSpeed learns from the same groups."""
    run_dir = make_run_dir(recipe_of_three_steps(make_recipe), "one")
    ledger.fill([make_group(number) for number in range(3 * GROUPS_PER_STEP)])
    train_here(run_dir)
    ledger.client.flushall()
    return run_dir


def recipe_of_three_steps(make_recipe, **learner):
    """Steps large enough for several forward passes of each process."""
    return make_recipe(
        budget={"steps": 3},
        method={"learning_rate": 1e-3},
        pipeline={"groups_per_step": GROUPS_PER_STEP, "stall_timeout_s": 300},
        learner=learner,
    )


def test_two_processes_learn_what_one_learns(
    one_process, learner, ledger, make_recipe, make_group, make_run_dir
):
    two = make_run_dir(recipe_of_three_steps(make_recipe, num_processes=2), "two")
    ledger.fill([make_group(number) for number in range(3 * GROUPS_PER_STEP)])
    code, output = learner.run(two, *ACCELERATE, "--multi_gpu", "--num_processes=2")
    assert code == 0, output
    assert_close(two, one_process)
    ranks = [path.name for path in (two / "checkpoints" / "step-000003").glob("rng_state_*")]
    assert sorted(ranks) == ["rng_state_0.pth", "rng_state_1.pth"], "two processes took part"
    assert [line["num_completions"] for line in metrics(two)] == [64, 64, 64]


@pytest.mark.parametrize(
    ("strategy", "more"),
    [
        ("zero3", {"method": {"name": "ppo", "kl": {"coefficient": 0.05}}}),
        ("zero3_offload", {"model": {"lora": {"rank": 4}}}),
    ],
    ids=["reference", "adapters"],
)
def test_a_head_of_its_own_is_there_in_every_pass_under_zero3(
    strategy, more, train_here, learner, ledger, make_recipe, make_group, make_run_dir, make_model,
    tokenizer, tmp_path,
):  # fmt: skip
    """The models above share it with the embeddings. Passes with and without a gradient, and the
    probe's, reach it in different ways."""
    make_model(tied=False).save_pretrained(tmp_path / "untied")
    tokenizer.save_pretrained(tmp_path / "untied")
    parts = {
        "model": {"path": str(tmp_path / "untied"), **more.get("model", {})},
        "method": {"learning_rate": 1e-3, **more.get("method", {})},
        "pipeline": {"stall_timeout_s": 300},
    }
    groups = [make_group(number) for number in range(8)]
    one = make_run_dir(make_recipe(**parts), "one")
    ledger.fill(groups)
    train_here(one)
    ledger.client.flushall()
    recipe = make_recipe(**parts, learner={"num_processes": 2, "strategy": strategy})
    two = make_run_dir(recipe, "two")
    ledger.fill(groups)
    env = {**NO_GPU, **learner_env(recipe.learner, has_gpu=False)}
    code, output = learner.run(two, *TORCHRUN, **env)
    assert code == 0, output
    assert_close(two, one)


@pytest.mark.parametrize("strategy", ["zero1", "zero3"])
def test_a_step_whose_gradient_is_no_number_changes_nothing_under_deepspeed(
    strategy, learner, ledger, make_recipe, make_group, make_run_dir
):
    """It is that of one process; both leave the step out."""
    recipe = make_recipe(
        method={"proximal": "engine"},
        pipeline={"stall_timeout_s": 300},
        learner={"num_processes": 2, "strategy": strategy},
    )
    run_dir = make_run_dir(recipe, strategy)
    groups = [make_group(number) for number in range(8)]
    groups[2] = with_impossible_logprobs(groups[2])
    ledger.fill(groups)
    env = {**NO_GPU, **learner_env(recipe.learner, has_gpu=False)}
    code, output = learner.run(run_dir, *TORCHRUN, **env)
    assert code == 0, output
    lines = metrics(run_dir)
    assert [line["skipped_steps"] for line in lines] == [0, 1, 0, 0]
    assert [line["loss"] is None for line in lines] == [False, True, False, False]
    before, after, next_one = (
        load_file(run_dir / f"policies/v{n:06d}/model.safetensors") for n in (1, 2, 3)
    )
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert any(not torch.equal(next_one[name], tensor) for name, tensor in after.items())
    assert ledger.counts().trained == 8


@pytest.mark.parametrize(
    ("strategy", "shards"),
    [
        ("zero2", "global_step2/*optim_states.pt"),
        ("zero3", "global_step2/*model_states.pt"),
        ("fsdp2", "rng_state_*.pth"),
    ],
)
def test_a_sharded_learner_killed_resumes_and_learns_what_one_process_learns(
    strategy, shards, one_process, learner, ledger, make_recipe, make_group, make_run_dir,
    rollout_service,
):  # fmt: skip
    recipe = recipe_of_three_steps(make_recipe, num_processes=2, strategy=strategy)
    run_dir = make_run_dir(recipe, strategy)
    env = {**NO_GPU, **learner_env(recipe.learner, has_gpu=False)}
    ledger.fill([make_group(number) for number in range(2 * GROUPS_PER_STEP)])
    process = learner.start(run_dir, *TORCHRUN, **env)
    wait_until((run_dir / "checkpoints" / "step-000002" / "plaudit.json").is_file, process)
    found = (run_dir / "checkpoints" / "step-000002").glob(shards)
    assert len(list(found)) == 2, "both processes write their part"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not is_alive_in(run_dir), timeout_s=60)
    last = range(2 * GROUPS_PER_STEP, 3 * GROUPS_PER_STEP)
    ledger.fill([make_group(number) for number in last])
    code, output = learner.run(run_dir, *TORCHRUN, **env)
    assert code == 0, output
    assert ledger.counts().trained == 3 * GROUPS_PER_STEP
    assert_close(run_dir, one_process)
    assert_proven(Path(rollout_service.versions[-1].path))
