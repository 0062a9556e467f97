"""The learner as a process, against a real ledger: training, crashes, signals, a full disk."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from plaudit.errors import ConfigError, Corrupt, PlauditError, Stalled
from plaudit.schemas.policy import PolicyManifest
from tests.trainer.learner.groups import with_impossible_logprobs
from tests.trainer.learner.written import metrics

TIMEOUT_S = 120

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.timeout(300),
]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(run_dir / "final" / "model.safetensors")


def wait_until(condition) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_a_run_trains_every_group_once_and_leaves_a_model(
    train_here, ledger, make_recipe, make_group, make_run_dir, rollout_service, model_dir
):
    run_dir = make_run_dir(make_recipe())
    ledger.fill([make_group(number) for number in range(8)])
    train_here(run_dir)
    counts = ledger.counts()
    assert (counts.trained, counts.in_flight, counts.dropped) == (8, 0, {})
    assert [line["step"] for line in metrics(run_dir)] == [1, 2, 3, 4]
    assert [line["version"] for line in metrics(run_dir)] == [1, 2, 3, 4]
    assert ledger.progress()["learner"] == "finished"
    assert rollout_service.versions[-1].version == 4
    before = load_file(model_dir / "model.safetensors")
    assert all(not torch.equal(weights(run_dir)[name], tensor) for name, tensor in before.items())
    assert_published(run_dir, version=4, step=4)


def test_without_steps_the_model_is_published_as_it_is(
    train_here, ledger, make_recipe, make_run_dir, rollout_service
):
    run_dir = make_run_dir(make_recipe(budget={"steps": 0}))
    train_here(run_dir)
    assert ledger.progress()["learner"] == "finished"
    assert [one.version for one in rollout_service.versions] == [0]
    assert_published(run_dir, version=0, step=0)
    assert not (run_dir / "final").exists()


def assert_published(run_dir: Path, version: int, step: int) -> None:
    """The version passes its own checksums, has an untied head, and its probe is its weights'."""
    from transformers import AutoModelForCausalLM

    directory = run_dir / "policies" / f"v{version:06d}"
    manifest = PolicyManifest.model_validate_json((directory / "manifest.json").read_bytes())
    assert (manifest.version, manifest.step) == (version, step)
    for name, file in manifest.files.items():
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == file.sha256
    state = load_file(directory / "model.safetensors")
    assert torch.equal(state["lm_head.weight"], state["model.embed_tokens.weight"])
    model = AutoModelForCausalLM.from_pretrained(directory)
    for sequence in manifest.probe.sequences:
        ids = torch.tensor([sequence.token_ids])
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        expected = logprobs.gather(-1, ids[0, 1:, None])[:, 0].tolist()
        assert sequence.logprobs == pytest.approx(expected, abs=1e-5)


def test_a_killed_learner_resumes_to_bit_identical_weights(
    learner, train_here, ledger, make_recipe, make_group, make_run_dir
):
    recipe = make_recipe(budget={"steps": 7, "checkpoint_every_steps": 3})
    groups = [make_group(number) for number in range(14)]
    whole = make_run_dir(recipe, "whole")
    ledger.fill(groups)
    train_here(whole)
    ledger.client.flushall()

    # Killed while it waits for step 6, two steps after its checkpoint of step 3.
    killed = make_run_dir(recipe, "killed")
    ledger.fill(groups[:10])
    process = learner.start(killed)
    wait_until(lambda: ledger.counts().trained == 10)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ledger.fill(groups[10:])
    code, output = learner.run(killed)
    assert code == 0, output

    assert_same(weights(killed), weights(whole))
    assert ledger.counts().trained == 14
    assert [line["step"] for line in metrics(killed)] == list(range(1, 8))
    assert [line["loss"] for line in metrics(killed)] == [line["loss"] for line in metrics(whole)]
    versions = [line["version"] for line in metrics(killed)]
    assert versions == sorted(set(versions)), "no number is used twice"
    assert versions[3] > 5, "steps 4 and 5 had been published before the crash"


def test_sigterm_ends_the_step_writes_a_checkpoint_and_exits_zero(
    learner, ledger, make_recipe, make_group, make_run_dir
):
    run_dir = make_run_dir(make_recipe(budget={"steps": 50, "checkpoint_every_steps": 50}))
    ledger.fill([make_group(number) for number in range(6)])
    process = learner.start(run_dir)
    wait_until(lambda: ledger.counts().trained == 6)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert (run_dir / "checkpoints" / "step-000003" / "plaudit.json").is_file()
    assert ledger.states() == {}, "a checkpoint holds every trained group"
    assert not (run_dir / "final").exists()


def test_sigterm_while_loading_ends_the_process_at_once(learner, ledger, make_recipe, make_run_dir):
    run_dir = make_run_dir(make_recipe())
    process = learner.start(run_dir)
    wait_until(lambda: ledger.client.exists("plaudit:run:r:claims"))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert list((run_dir / "checkpoints").glob("*")) == []


def test_a_full_disk_ends_the_run_with_code_2_and_nothing_half_written(
    learner, ledger, make_recipe, make_group, make_run_dir
):
    run_dir = make_run_dir(make_recipe())
    ledger.fill([make_group(number) for number in range(8)])
    code, output = learner.run(run_dir, "prlimit", "--fsize=60000", learner.python)
    assert code == 2, output
    assert "error: --run-dir: the checkpoint of step 0 cannot be written" in output
    assert "fix: free space there, lower budget.keep_checkpoints" in output
    assert "Traceback" not in output
    assert list((run_dir / "checkpoints").iterdir()) == []
    assert "the disk is full" in ledger.progress()["failure"]
    assert ledger.count_ready() == 8


def test_a_stalled_learner_says_what_it_waits_for(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    run_dir = make_run_dir(make_recipe(pipeline={"stall_timeout_s": 0.5}))
    ledger.fill([make_group(0)])
    with pytest.raises(Stalled, match="learner: waits for 2 scored groups and has 1"):
        train_here(run_dir)
    assert "pipeline.stall_timeout_s" in ledger.progress()["failure"]


def test_a_learner_that_another_has_fenced_off_stops(
    learner, ledger, make_recipe, make_group, make_run_dir
):
    process = learner.start(make_run_dir(make_recipe()))
    wait_until(lambda: "learner" in ledger.progress())
    ledger.claim("another")
    ledger.fill([make_group(number) for number in range(2)])
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert "another learner has claimed this run" in output
    assert ledger.counts().trained == 0
    assert "failure" not in ledger.progress()


def test_a_learner_refuses_to_go_on_with_a_ledger_that_redis_has_lost(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    run_dir = make_run_dir(make_recipe())
    ledger.fill([make_group(number) for number in range(8)])
    train_here(run_dir)
    ledger.client.flushall()
    with pytest.raises(Corrupt, match=r"trained on 8 groups and the ledger in Redis counts 0"):
        train_here(run_dir)
    assert "appendonly yes" in ledger.progress()["failure"]


def test_a_model_that_is_not_there_is_named(train_here, ledger, make_recipe, make_run_dir):
    run_dir = make_run_dir(make_recipe(model={"path": "/nowhere"}))
    with pytest.raises(ConfigError, match=r"model\.path = '/nowhere': no model is there"):
        train_here(run_dir)


def test_steps_whose_gradient_is_no_number_end_the_run_after_a_bound(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    method = {"learning_rate": 1e30, "max_grad_norm": 1e30, "max_skipped_steps": 1}
    run_dir = make_run_dir(make_recipe(method=method))
    ledger.fill([make_group(number) for number in range(8)])
    with pytest.raises(
        PlauditError, match=r"in 2 steps in a row \(method\.max_skipped_steps = 1\)"
    ):
        train_here(run_dir)
    published = sorted(path.name for path in (run_dir / "policies").glob("v*") if path.is_dir())
    assert len(published) == ledger.counts().trained // 2 + 1
    assert "method.max_skipped_steps" in ledger.progress()["failure"]


def test_one_such_step_changes_nothing_and_is_counted(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    run_dir = make_run_dir(make_recipe(method={"proximal": "engine"}))
    groups = [make_group(number) for number in range(8)]
    groups[2] = with_impossible_logprobs(groups[2])
    ledger.fill(groups)
    train_here(run_dir)
    lines = metrics(run_dir)
    assert [line["skipped_steps"] for line in lines] == [0, 1, 0, 0]
    assert [line["loss"] is None for line in lines] == [False, True, False, False]
    policies = [load_file(run_dir / f"policies/v{n:06d}/model.safetensors") for n in (1, 2, 3)]
    assert_same(policies[1], policies[0])
    assert any(not torch.equal(policies[2][name], tensor) for name, tensor in policies[1].items())
    assert ledger.counts().trained == 8


def test_a_policy_that_leaves_the_reference_ends_the_run(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    method = {"learning_rate": 1.0, "beta": 0.01, "max_kl": 0.1}
    run_dir = make_run_dir(make_recipe(method=method))
    ledger.fill([make_group(number) for number in range(8)])
    with pytest.raises(PlauditError, match=r"nats per token from the reference model"):
        train_here(run_dir)


def test_two_iterations_make_two_optimizer_steps_of_a_batch(
    train_here, ledger, make_recipe, make_group, make_run_dir
):
    run_dir = make_run_dir(make_recipe(method={"num_iterations": 2}))
    ledger.fill([make_group(number) for number in range(8)])
    train_here(run_dir)
    assert [line["step"] for line in metrics(run_dir)] == [1, 2, 3, 4]
    state = json.loads((run_dir / "checkpoints/step-000004/trainer_state.json").read_text())
    assert state["global_step"] == 8


def test_smaller_passes_learn_the_same(train_here, ledger, make_recipe, make_group, make_run_dir):
    run_dirs = []
    for name, size in (("whole", None), ("parts", 16)):
        recipe = make_recipe(learner={"max_tokens_per_pass": size}, method={"learning_rate": 1e-3})
        ledger.client.flushall()
        ledger.fill([make_group(number) for number in range(8)])
        run_dirs.append(make_run_dir(recipe, name))
        train_here(run_dirs[-1])
    whole, parts = map(weights, run_dirs)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, atol=1e-5, rtol=0, msg=name)
