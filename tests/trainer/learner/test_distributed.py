"""Two processes, and DeepSpeed, on CPU."""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ZERO_2 = {
    "zero_optimization": {"stage": 2},
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
}
SCRIPTS = Path(sys.executable).parent
TORCHRUN = (str(SCRIPTS / "torchrun"), "--standalone", "--nproc_per_node=2")
ACCELERATE = (str(SCRIPTS / "accelerate"), "launch")
CPU = {"DS_ACCELERATOR": "cpu", "ACCELERATE_USE_CPU": "false", "CUDA_VISIBLE_DEVICES": ""}
"""As `plaudit.local.learner` sets it: told to use the CPU, accelerate leaves DeepSpeed out."""

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


def wait_until(condition, timeout_s: float = 240) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
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
    lines = (two / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["num_completions"] for line in lines] == [64, 64, 64]


def test_deepspeed_zero_2_trains_and_resumes(
    one_process, learner, ledger, make_recipe, make_group, make_run_dir, tmp_path
):
    config = tmp_path / "zero2.json"
    config.write_text(json.dumps(ZERO_2))
    recipe = recipe_of_three_steps(make_recipe, num_processes=2, deepspeed=str(config))
    run_dir = make_run_dir(recipe, "zero2")
    ledger.fill([make_group(number) for number in range(2 * GROUPS_PER_STEP)])
    process = learner.start(run_dir, *TORCHRUN, **CPU)
    wait_until((run_dir / "checkpoints" / "step-000002" / "plaudit.json").is_file)
    shards = (run_dir / "checkpoints" / "step-000002").glob("global_step2/*optim_states.pt")
    assert len(list(shards)) == 2, "DeepSpeed shards the optimizer over the two processes"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not is_alive_in(run_dir), timeout_s=60)
    last = range(2 * GROUPS_PER_STEP, 3 * GROUPS_PER_STEP)
    ledger.fill([make_group(number) for number in last])
    code, output = learner.run(run_dir, *TORCHRUN, **CPU)
    assert code == 0, output
    assert ledger.counts().trained == 3 * GROUPS_PER_STEP
    assert_close(run_dir, one_process)


def test_two_processes_with_a_critic_learn_what_one_learns(
    train_here, learner, ledger, make_recipe, make_group, make_run_dir
):
    """The middle group of a step lies on both of them."""
    groups = [make_group(number) for number in range(2 * 3)]
    method = {
        "name": "ppo",
        "learning_rate": 1e-3,
        "kl": {"coefficient": 0.05, "target": 0.5, "horizon": 100},
        "critic": {"learning_rate": 1e-3, "normalize_rewards": True},
    }
    run_dirs = []
    for num_processes in (1, 2):
        recipe = make_recipe(
            method=method,
            budget={"steps": 2},
            pipeline={"groups_per_step": 3, "stall_timeout_s": 300},
            learner={"num_processes": num_processes},
        )
        run_dirs.append(make_run_dir(recipe, str(num_processes)))
        ledger.fill(groups)
        if num_processes == 1:
            train_here(run_dirs[-1])
        else:
            code, output = learner.run(
                run_dirs[-1], *ACCELERATE, "--multi_gpu", "--num_processes=2"
            )
            assert code == 0, output
        ledger.client.flushall()
    one, two = run_dirs
    assert_close(two, one)
    lines = [json.loads((path / "metrics.jsonl").read_text().splitlines()[-1]) for path in run_dirs]
    for name in ("advantage", "kl", "kl_coefficient", "returns", "value_loss"):
        assert lines[1][name] == pytest.approx(lines[0][name], rel=1e-3, abs=1e-6), name
