"""An offline run as a process: what it leaves, crashes, signals, steps that go wrong."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from plaudit.config.recipe import dump_recipe
from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation
from plaudit.schemas.recipe import SftRecipe
from plaudit.schemas.run import OfflineStatus, OfflineSummary
from plaudit_trainer.learner.memory import explaining_out_of_memory
from plaudit_trainer.learner.metrics import append_metrics
from plaudit_trainer.offline import hooks as hooks_module
from plaudit_trainer.offline.check import check_offline
from plaudit_trainer.offline.main import MEMORY_FIX, run
from plaudit_trainer.offline.sft.method import Sft, SftTrainer
from plaudit_trainer.run_dir import RunDir

pytestmark = pytest.mark.timeout(480)
TIMES = {"time", "step_s", "tokens_per_s"}


def talk(number: int) -> Conversation:
    question = Message(role="user", content=f"{number}+1?")
    return Conversation(
        id=str(number), messages=[question, Message(role="assistant", content=str(number + 1))]
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    for name, numbers in (("train", range(32)), ("eval", range(40, 50))):
        lines = [talk(number).model_dump_json() + "\n" for number in numbers]
        (path / f"{name}.jsonl").write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def make_run(tmp_path_factory: pytest.TempPathFactory, data: Path, model_dir: Path):
    """A run directory; keyword arguments replace parts of the recipe."""

    def make(**parts: Any) -> Path:
        document: dict[str, Any] = {
            "name": "test",
            "model": {"path": str(model_dir), "max_model_tokens": 64},
            "data": {"train": str(data / "train.jsonl"), "eval": str(data / "eval.jsonl")},
            "method": {
                "name": "sft", "learning_rate": 1e-3, "batch_size": 8, "backward_batch_size": 4,
            },
            "budget": {"steps": 9, "checkpoint_every_steps": 3},
            "eval": {"every_steps": 4, "batch_size": 4},
            "learner": {"num_threads": 1},
        }  # fmt: skip
        for key, part in parts.items():
            document[key] = {**document[key], **part}
        path = tmp_path_factory.mktemp("run")
        (path / "recipe.toml").write_text(dump_recipe(SftRecipe.model_validate(document)))
        (path / "run.json").write_text(json.dumps({"run_id": "r"}))
        return path

    return make


@pytest.fixture(autouse=True, scope="module")
def _on_cpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        yield


def metrics(run_dir: Path) -> list[dict[str, Any]]:
    """Without what a clock says."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def num_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def assert_same_run(one: Path, other: Path) -> None:
    """To the last bit."""
    assert metrics(one) == metrics(other)
    weights, expected = (load_file(d / "final" / "model.safetensors") for d in (one, other))
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
    for name in ("eval_before.json", "eval_after.json"):
        assert json.loads((one / name).read_text()) == json.loads((other / name).read_text())


@pytest.fixture(scope="module")
def whole(make_run, _on_cpu) -> Path:
    """A run that nothing disturbed."""
    path = make_run()
    run(path)
    return path


def test_a_run_leaves_a_better_model_its_figures_and_its_gain(whole: Path):
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 10))
    assert all(line["tokens_per_s"] > 0 and not line["skipped"] for line in lines)
    assert [line["step"] for line in lines if "eval" in line] == [4, 8]
    assert lines[-1]["loss"] < lines[0]["loss"]
    summary = OfflineSummary.model_validate_json((whole / "summary.json").read_text())
    assert (summary.method, summary.metric, summary.steps) == ("sft", "log_likelihood", 9)
    assert summary.num_eval_rows == 10
    assert summary.gain == pytest.approx(summary.after - summary.before)
    assert summary.gain_ci95 is not None
    low, high = summary.gain_ci95
    assert 0 < low < summary.gain < high
    status = OfflineStatus.model_validate_json((whole / "status.json").read_text())
    assert (status.state, status.step, status.max_steps) == ("finished", 9, 9)
    assert sorted(p.name for p in (whole / "checkpoints").iterdir()) == [
        "step-000006",
        "step-000009",
    ]


def test_a_killed_run_goes_on_as_if_nothing_had_happened(make_run, whole: Path):
    killed = make_run()
    command = [sys.executable, "-m", "plaudit_trainer.offline", "--run-dir", str(killed)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        deadline_s = time.monotonic() + 240
        while num_lines(killed / "metrics.jsonl") < 4:  # one more than the checkpoint has
            assert time.monotonic() < deadline_s and process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert not (killed / "summary.json").exists()
    run(killed)
    assert_same_run(killed, whole)


def test_a_stopped_run_keeps_what_it_has_done_and_goes_on(
    make_run, whole: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped = make_run()
    append = append_metrics

    def append_and_stop(path: Path, line: dict[str, Any]) -> None:
        append(path, line)
        if line["step"] == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(hooks_module, "append_metrics", append_and_stop)
        run(stopped)
    assert (stopped / "checkpoints" / "step-000004").is_dir()
    assert not (stopped / "final").exists()
    run(stopped)
    assert_same_run(stopped, whole)


def test_a_run_stopped_while_it_evaluates_does_that_step_again(
    make_run, whole: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped = make_run()
    evaluate = Sft.evaluate

    def evaluate_and_stop(self, trainer: Any, rows: Any) -> Any:
        if trainer.state.global_step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(self, trainer, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Sft, "evaluate", evaluate_and_stop)
        run(stopped)
    assert [p.name for p in (stopped / "checkpoints").iterdir()] == ["step-000003"]
    run(stopped)
    assert_same_run(stopped, whole)


def test_without_held_out_rows_a_run_has_no_gain(make_run):
    path = make_run(data={"eval": None}, eval={"every_steps": 1}, budget={"steps": 2})
    run(path)
    summary = OfflineSummary.model_validate_json((path / "summary.json").read_text())
    assert (summary.steps, summary.before, summary.gain, summary.num_eval_rows) == (
        2,
        None,
        None,
        0,
    )


def test_a_run_that_was_killed_after_its_last_step_is_only_finished(whole: Path, tmp_path: Path):
    unfinished = shutil.copytree(whole, tmp_path / "unfinished")
    for name in ("summary.json", "eval_after.json"):
        (unfinished / name).unlink()
    shutil.rmtree(unfinished / "final")
    run(unfinished)
    assert_same_run(unfinished, whole)
    assert (unfinished / "summary.json").exists()


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_a_step_that_is_no_number_changes_nothing(make_run, monkeypatch, bad: str):
    path = make_run(budget={"steps": 4})
    compute, num_calls = SftTrainer.compute_loss, 0

    def spoilt(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal num_calls
        num_calls += 1
        loss = compute(self, *args, **kwargs)
        if num_calls in (3, 4):  # both passes of the second step
            return loss * math.nan if bad == "loss" else loss + 0 * (loss - loss).sqrt()
        return loss

    monkeypatch.setattr(SftTrainer, "compute_loss", spoilt)
    run(path)
    assert [line["skipped"] for line in metrics(path)] == [False, True, False, False]
    assert [line["loss"] is None for line in metrics(path)] == [False, True, False, False]
    assert json.loads((path / "summary.json").read_text())["skipped_steps"] == 1
    weights = load_file(path / "final" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_too_many_skipped_steps_in_a_row_end_the_run_with_advice(make_run, monkeypatch):
    path = make_run(method={"max_skipped_steps": 2})
    compute = SftTrainer.compute_loss
    monkeypatch.setattr(SftTrainer, "compute_loss", lambda *a, **k: compute(*a, **k) * math.nan)
    with pytest.raises(ConfigError, match=r"in 3 steps in a row, up to step 3 .*= 2") as error:
        run(path)
    assert "lower method.learning_rate" in str(error.value.fix)


def test_out_of_memory_names_the_settings_that_help():
    with (
        pytest.raises(ConfigError, match="out of memory") as error,
        explaining_out_of_memory(MEMORY_FIX),
    ):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 1 byte")
    assert "method.backward_batch_size" in str(error.value.fix)


def test_a_check_counts_rows_and_names_the_row_that_is_too_long(make_run):
    recipe = RunDir(make_run()).offline_recipe()
    assert check_offline(recipe) == {"num_train_rows": 32, "num_eval_rows": 10}
    tiny = recipe.model.model_copy(update={"max_model_tokens": 8})
    with pytest.raises(
        ConfigError, match=r"model.max_model_tokens = 8; data.train, row '0' has 9 tokens"
    ):
        check_offline(recipe.model_copy(update={"model": tiny}))


def test_a_batch_that_cannot_be_split_is_refused(make_run):
    recipe = RunDir(make_run(method={"backward_batch_size": 3})).offline_recipe()
    with pytest.raises(ConfigError, match=r"backward_batch_size = 3 does not divide"):
        check_offline(recipe)


@pytest.mark.distributed
def test_two_processes_train_as_one_does(make_run, whole: Path):
    """Up to the order in which floating-point numbers are added."""
    path = make_run()
    launcher = [str(Path(sys.executable).parent / "torchrun"), "--standalone", "--nproc_per_node=2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*launcher, "-m", "plaudit_trainer.offline", "--run-dir", str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    found, expected = metrics(path), metrics(whole)
    for name in ("loss", "grad_norm", "num_tokens"):
        assert [x[name] for x in found] == pytest.approx([x[name] for x in expected], rel=1e-4)
    after, other = (json.loads((d / "eval_after.json").read_text()) for d in (path, whole))
    assert after["by_prompt"] == pytest.approx(other["by_prompt"], abs=1e-4)
