"""`plaudit train` with a reward in a file beside the recipe."""

import json
import signal
import time
from pathlib import Path

from tests.shared.cli.test_train import Plaudit, wait_for

MINE = "def brevity(completions, *, limit=3):\n    return [1.0 for _ in completions]\n"
NAME = "rewards.0.name=./mine.py:brevity"


def reward_environment(plaudit: Plaudit) -> str:
    """Of the stand-in for the worker of the pool `rules`."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for pid in plaudit.processes():
            place = Path(f"/proc/{pid}")
            if b"plaudit-reward\0worker\0--pool\0rules" in (place / "cmdline").read_bytes():
                return (place / "environ").read_bytes().decode()
        time.sleep(0.1)
    raise AssertionError("no worker")


def test_a_dry_run_finds_what_is_wrong_with_the_file(plaudit: Plaudit) -> None:
    (plaudit.directory / "mine.py").write_text(MINE)
    done = plaudit.run("train", "recipe.toml", "--dry-run", "--up", "--set", NAME)
    assert done.returncode == 0, done.stderr
    assert f"ok   reward names: {plaudit.directory}/mine.py:brevity" in done.stderr
    for change, message in (
        ("rewards.0.name=./mine.py:brevty", "did you mean 'brevity'?"),
        ("rewards.0.name=./mien.py:brevity", f"did you mean '{plaudit.directory}/mine.py'?"),
        ("rewards.0.params.limt=3", "rewards.0.params.limt: unknown; did you mean `limit`?"),
    ):
        wrong = plaudit.run("train", "recipe.toml", "--dry-run", "--set", NAME, "--set", change)
        assert wrong.returncode == 2
        assert message in " ".join(wrong.stderr.split())


def test_services_in_another_terminal_run_files_below_what_is_named(plaudit: Plaudit) -> None:
    process = plaudit.start("up", "reward", "--user-code", ".")
    wait_for(process, "everything is ready")
    dirs = json.dumps([str(plaudit.directory)])
    assert f"\0PLAUDIT_REWARD_USER_CODE_DIRS={dirs}\0" in reward_environment(plaudit)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_its_services_may_run_the_file_and_a_resumed_run_says_that_it_has_changed(
    plaudit: Plaudit,
) -> None:
    mine = plaudit.directory / "mine.py"
    mine.write_text(MINE)
    process = plaudit.start("train", "recipe.toml", "--up", "--run-dir", "runs/one", "--set", NAME)
    wait_for(process, "training 1/3")
    dirs = json.dumps([str(plaudit.directory)])
    assert f"\0PLAUDIT_REWARD_USER_CODE_DIRS={dirs}\0" in reward_environment(plaudit)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert (plaudit.directory / "runs/one/files/0-mine.py").read_text() == MINE

    mine.write_text(f"{MINE}# changed\n")
    done = plaudit.run("train", "--resume", "runs/one", "--up", STAND_IN_FAST="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{mine} is not what the run began with" in " ".join(done.stderr.split())
