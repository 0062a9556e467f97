"""The learner on one NVIDIA GPU: it learns what it learns on CPU, publishes that, and resumes."""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file

from plaudit.local.environment import Environment
from plaudit.local.learner import learner_command
from plaudit.schemas.policy import PolicyManifest
from plaudit.schemas.recipe.learner import Strategy
from tests.trainer.learner.written import metrics

DEVICE = "cuda"
ON_GPU = {"ACCELERATE_USE_CPU": "false"}
TIMEOUT_S = 60
TORCHRUN = (str(Path(sys.executable).parent / "torchrun"), "--standalone", "--nproc_per_node=1")
ZERO_2 = {
    "zero_optimization": {"stage": 2},
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
}

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def make_gpu_recipe(make_recipe):
    def make(**learner):
        dtype = learner.pop("dtype", "float32")
        return make_recipe(
            model={"dtype": dtype}, method={"learning_rate": 1e-3},
            pipeline={"stall_timeout_s": TIMEOUT_S}, learner=learner,
        )  # fmt: skip

    return make


@pytest.fixture
def on_cpu(train_here, ledger, make_gpu_recipe, make_group, make_run_dir) -> Path:
    """What the same groups teach a learner in float32 on CPU."""
    run_dir = make_run_dir(make_gpu_recipe(), "cpu")
    ledger.fill([make_group(number) for number in range(8)])
    train_here(run_dir)
    ledger.client.flushall()
    return run_dir


# The drift is the distance from what the CPU learned, as a share of how far training went: 1.4 for
# a walk of its own. An engine computes in the type of the weights, which bfloat16 rounds.
@pytest.mark.parametrize(
    ("dtype", "tolerance", "largest_drift"), [("float32", 1e-4, 0.02), ("bfloat16", 0.2, 0.3)]
)
def test_a_learner_killed_on_a_gpu_resumes_and_learns_what_it_learns_on_cpu(
    dtype, tolerance, largest_drift, on_cpu, learner, ledger, make_gpu_recipe, make_group,
    make_run_dir, model_dir, rollout_service, record_property,
):  # fmt: skip
    run_dir = make_run_dir(make_gpu_recipe(dtype=dtype, probe_tolerance=tolerance), "gpu")
    ledger.fill([make_group(number) for number in range(6)])
    process = learner.start(run_dir, **ON_GPU)
    wait_trained(ledger, process, 6)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ledger.fill([make_group(number) for number in range(6, 8)])
    code, output = learner.run(run_dir, **ON_GPU)
    assert code == 0, output
    assert_trained(run_dir)
    assert_optimizer_was_on_gpu(run_dir)
    found_drift = drift(run_dir, on_cpu, model_dir)
    found_gap = probe_gap(Path(rollout_service.versions[-1].path), getattr(torch, dtype))
    record_property("drift", found_drift)
    record_property("probe_gap", found_gap)
    assert found_drift < largest_drift
    assert found_gap <= tolerance


def test_a_rank_of_several_learns_the_same(
    on_cpu, learner, ledger, make_gpu_recipe, make_group, make_run_dir, model_dir
):
    """What `accelerate launch --multi_gpu` starts on each GPU, and NCCL; here there is one."""
    run_dir = make_run_dir(make_gpu_recipe(), "ddp")
    ledger.fill([make_group(number) for number in range(8)])
    code, output = learner.run(run_dir, *TORCHRUN, **ON_GPU)
    assert code == 0, output
    assert_trained(run_dir)
    assert_optimizer_was_on_gpu(run_dir)
    assert drift(run_dir, on_cpu, model_dir) < 0.02


@pytest.mark.parametrize("strategy", sorted(set(get_args(Strategy)) - {"ddp"}))
def test_a_strategy_launched_as_plaudit_does_learns_the_same(
    strategy, on_cpu, learner, ledger, make_gpu_recipe, make_group, make_run_dir, model_dir
):
    assert_learns_on_gpu(
        make_gpu_recipe(strategy=strategy), on_cpu, learner, ledger, make_group, make_run_dir,
        model_dir,
    )  # fmt: skip


def test_a_deepspeed_configuration_of_ones_own_learns_the_same(
    on_cpu, learner, ledger, make_gpu_recipe, make_group, make_run_dir, model_dir, tmp_path
):
    config = tmp_path / "zero2.json"
    config.write_text(json.dumps(ZERO_2))
    run_dir = assert_learns_on_gpu(
        make_gpu_recipe(deepspeed=str(config)), on_cpu, learner, ledger, make_group, make_run_dir,
        model_dir,
    )  # fmt: skip
    assert list(run_dir.glob("checkpoints/step-000004/global_step4/*optim_states.pt"))


@pytest.mark.parametrize("strategy", ["ddp", "zero2"])
@pytest.mark.parametrize(
    "parts",
    [
        {"method": {"name": "ppo", "critic": {"learning_rate": 1e-3}}},
        {"model": {"lora": {"rank": 4, "alpha": 8.0}}},
    ],
    ids=["critic", "adapters"],
)
def test_a_critic_and_adapters_learn_what_they_learn_on_cpu(
    parts, strategy, train_here, learner, ledger, make_recipe, make_group, make_run_dir, model_dir
):
    method = {"learning_rate": 1e-3, **parts.get("method", {})}
    on_cpu, on_gpu = (
        make_recipe(
            model=parts.get("model", {}), method=method,
            pipeline={"stall_timeout_s": TIMEOUT_S}, learner={"strategy": chosen},
        )
        for chosen in ("ddp", strategy)
    )  # fmt: skip
    expected = make_run_dir(on_cpu, "cpu")
    ledger.fill([make_group(number) for number in range(8)])
    train_here(expected)
    ledger.client.flushall()
    run_dir = assert_learns_on_gpu(
        on_gpu, expected, learner, ledger, make_group, make_run_dir, model_dir
    )
    if method.get("critic"):
        found, wanted = (metrics(path)[-1]["value_loss"] for path in (run_dir, expected))
        assert found == pytest.approx(wanted, rel=1e-2)


def assert_learns_on_gpu(recipe, on_cpu, learner, ledger, make_group, make_run_dir, model_dir):
    run_dir = make_run_dir(recipe, "gpu")
    ledger.fill([make_group(number) for number in range(8)])
    code, output = learner.run(run_dir, *launcher(recipe, run_dir), **ON_GPU)
    assert code == 0, output
    assert_trained(run_dir)
    assert drift(run_dir, on_cpu, model_dir) < 0.02
    return run_dir


def launcher(recipe, run_dir: Path) -> tuple[str, ...]:
    """What starts the learner's module on every GPU; nothing for one process without a strategy."""
    if recipe.learner.strategy == "ddp" and recipe.learner.deepspeed is None:
        return ()
    command = learner_command(Environment(), recipe.learner, run_dir, has_gpu=True)
    return command[: command.index("-m")]


def wait_trained(ledger, process, num_groups: int) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while ledger.counts().trained < num_groups:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def assert_trained(run_dir: Path) -> None:
    lines = metrics(run_dir)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(math.isfinite(line[name]) for line in lines for name in ("loss", "grad_norm"))


def assert_optimizer_was_on_gpu(run_dir: Path) -> None:
    saved = torch.load(run_dir / "checkpoints" / "step-000004" / "optimizer.pt")
    assert {state["exp_avg"].device.type for state in saved["state"].values()} == {DEVICE}


def drift(run_dir: Path, expected: Path, start: Path) -> float:
    names = load_file(start / "model.safetensors").keys()
    directories = (start, expected / "final", run_dir / "final")
    start_of, expected_of, found_of = (flat(directory, names) for directory in directories)
    return float((found_of - expected_of).norm() / (expected_of - start_of).norm())


def flat(directory: Path, names: Iterable[str]) -> torch.Tensor:
    tensors = load_file(directory / "model.safetensors")
    return torch.cat([tensors[name].float().flatten() for name in names])


def probe_gap(directory: Path, dtype: torch.dtype) -> float:
    """As an engine checks it: the published weights, in their own type, on the GPU."""
    from transformers import AutoModelForCausalLM

    probe = PolicyManifest.model_validate_json((directory / "manifest.json").read_bytes()).probe
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype).to(DEVICE)  # type: ignore[arg-type]
    gaps = []
    for sequence in probe.sequences:
        ids = torch.tensor([sequence.token_ids], device=DEVICE)
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
        found = logprobs.gather(-1, ids[0, 1:, None])[:, 0].cpu()
        gaps.append((found - torch.tensor(sequence.logprobs)).abs())
    return float(torch.cat(gaps).max())
