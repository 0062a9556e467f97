"""The conductor as a process: it ends when it is told to, and when it no longer conducts."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from plaudit.config import dump_recipe
from plaudit.schemas.rollout import RolloutGroup
from plaudit.testing import free_port

PROGRAM = Path(sys.executable).parent / "plaudit-trainer"


@pytest.fixture
def conductor(run_dir, rows, make_recipe, rollouts, redis_url):
    """Starts the process; its page is at `url`."""
    data = run_dir.path / "train.jsonl"
    data.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    recipe = make_recipe(data={"train": str(data), "eval": None})
    (run_dir.path / "recipe.toml").write_text(dump_recipe(recipe))
    port = free_port()
    env = os.environ | {
        "PLAUDIT_REDIS_URL": redis_url,
        "PLAUDIT_ROLLOUT_URL": rollouts.url,
        "PLAUDIT_TRAINER_PORT": str(port),
        "PLAUDIT_TRAINER_DRAIN_TIMEOUT_S": "1",
    }
    process = subprocess.Popen(
        [str(PROGRAM), "conductor", "--run-dir", str(run_dir.path)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.communicate()


def wait_until_it_says(url, state):
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        try:
            if httpx.get(f"{url}/v1/status", trust_env=False).json()["state"] == state:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the run was never {state}")


def test_it_serves_the_status_and_ends_with_0_on_sigterm(conductor, learner):
    process, url = conductor
    learner.publish()
    wait_until_it_says(url, "training")
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


def test_a_crash_of_its_loops_ends_the_process_so_that_it_is_started_again(
    conductor, learner, rollouts
):
    process, url = conductor
    learner.publish()
    wait_until_it_says(url, "training")
    rollouts.results["r", "no id of ours"] = RolloutGroup(
        run_id="r", group_id="no id of ours", prompt=[], prompt_token_ids=[], reference={},
        completions=[], replica_id="e0",
    )  # fmt: skip
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1, output
    assert "ValueError" in output, "its log says why"
