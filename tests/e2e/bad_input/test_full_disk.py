"""A disk that is full: the run ends in words, and leaves nothing that is half-written.

The model's weights take about 120 kB. `learner/test_process.py` fills the disk of a learner alone.
"""

import subprocess
from pathlib import Path

import pytest

SCRIPT = """
mount -t tmpfs -o size=$1 tmpfs "$0" || exit 77
shift
"$@"
code=$?
find "$0" -mindepth 1
exit $code
"""


@pytest.fixture(scope="session")
def trainable(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model whose configuration is `model_dir`, with random weights of about 200 kB."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("trainable")
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model_dir)).save_pretrained(path)
    AutoTokenizer.from_pretrained(model_dir).save_pretrained(path)
    return path


def on_a_small_disk(disk: Path, num_bytes: int) -> tuple[str, ...]:
    """Mounted at `disk`, where only the command that follows sees it; what it leaves is listed."""
    script = ("unshare", "--map-root-user", "--mount", "sh", "-c", SCRIPT)
    return (*script, str(disk), str(num_bytes))


@pytest.fixture
def train_on_a_disk_of(plaudit, services, trainable):
    """`done, left = train_on_a_disk_of(num_bytes)`: the names of what is left on the disk."""
    disk = plaudit.directory / "disk"
    disk.mkdir()
    probe = [*on_a_small_disk(disk, 100_000), "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk in a namespace of his own")

    def train(num_bytes):
        done = plaudit.run(
            "train", "recipe.toml", "--runs-dir", "disk", "--set", f"model.path={trainable}",
            before=on_a_small_disk(disk, num_bytes), **services(),
        )  # fmt: skip
        left = [line for line in done.stdout.splitlines() if line.startswith(f"{disk}/")]
        return done, [Path(line).name for line in left]

    return train


def test_a_disk_too_small_for_a_checkpoint_is_named_and_the_run_leaves_nothing(
    plaudit, train_on_a_disk_of
):
    done, left = train_on_a_disk_of(140_000)
    plaudit.refuses(
        done,
        "--run-dir: the checkpoint of step 0 cannot be written",
        "the disk is full", "fix: free space there", "budget.keep_checkpoints",
    )  # fmt: skip
    assert left == []


def test_a_disk_that_fills_up_after_a_checkpoint_leaves_that_one_whole_to_resume_from(
    plaudit, train_on_a_disk_of
):
    done, left = train_on_a_disk_of(300_000)
    plaudit.refuses(
        done, "--run-dir: policy version 0 cannot be written", "the disk is full", "resume the run"
    )
    assert "plaudit.json" in left and "model.safetensors" in left
    assert not [name for name in left if "tmp" in name or name.startswith("v0")]
