"""The conductor as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import redis

from plaudit.config import dump_recipe
from plaudit.schemas.recipe import Recipe
from plaudit.testing import free_port
from plaudit_trainer.run_dir import RunDir


def test_an_unforeseen_error_ends_the_process_so_that_a_successor_is_started(
    redis_url: str, run_dir: RunDir, make_recipe: Callable[..., Recipe], tmp_path: Path
):
    rows = tmp_path / "rows.jsonl"
    prompt = [{"role": "user", "content": "1+1?"}]
    row = {"id": "0", "kind": "math", "prompt": prompt, "reference": {"answer": "2"}}
    rows.write_text(json.dumps(row))
    recipe = make_recipe(data={"train": str(rows), "eval": None})
    (run_dir.path / "recipe.toml").write_text(dump_recipe(recipe))
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"plaudit:run:{run_dir.run_id}:counts", "no hash")

    ended = subprocess.run(
        [sys.executable, "-c", "from plaudit_trainer.cli import main; main()", "conductor",
         "--run-dir", str(run_dir.path)],
        env=os.environ | {"PLAUDIT_REDIS_URL": redis_url, "PLAUDIT_TRAINER_PORT": str(free_port())},
        stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 1
    assert "WRONGTYPE" in ended.stderr
