"""The pool `model` as a process: through the API, and without torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.reward import RewardSpec, ScoreRequest
from plaudit_reward.registry import load_registry

WITHOUT_TORCH = """
import importlib.util, sys
there = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "torch" else there(name, *more)
sys.modules["torch"] = None
from plaudit_reward.cli import main
sys.argv = ["plaudit-reward", "worker", "--pool", "model"]
sys.exit(main())
"""


def of_the_demo(path: Path) -> str:
    return json.dumps({"default": {"kind": "classifier", "path": str(path)}})


async def test_requests_are_scored_by_the_worker_of_the_pool(service, tiny, logits_of, ask) -> None:
    path = tiny.classifier("worker")
    running = await service(models=of_the_demo(path), score_timeout_s="150")
    running.worker("model")
    running.worker("rules")
    groups = [ask("4", "5", "six"), ask("four").model_copy(update={"group_id": "h"})]
    specs = [RewardSpec(name="reward_model"), RewardSpec(name="tag_count")]
    unknown = RewardSpec(name="unit_reward_model", params={"model": "other"})
    request = ScoreRequest(groups=groups, rewards=[*specs, unknown])
    answer = await running.client.score(request, timeout_s=150)
    for group, found in zip(groups, answer.groups, strict=True):
        expected = [logits[0] for logits in logits_of(path, group)]
        values = [score.rewards["reward_model"] for score in found.scores]
        assert values == pytest.approx(expected, abs=1e-5)
        for score in found.scores:
            assert score.rewards["tag_count"] == 0.0
            assert score.rewards["unit_reward_model"] is None
            assert "configured: default" in score.errors["unit_reward_model"]


def test_a_worker_without_torch_says_so_and_what_to_install(redis_url: str, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "PLAUDIT_REDIS_URL": redis_url,
        "PLAUDIT_REWARD_MODELS": of_the_demo(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "need torch, not installed beside" in done.stderr
    assert "pip install 'plaudit-reward[model]'" in done.stderr


def test_a_worker_that_loads_at_its_start_fails_then(redis_url: str, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "PLAUDIT_REDIS_URL": redis_url,
        "PLAUDIT_REWARD_MODELS": of_the_demo(tmp_path / "nowhere"),
        "PLAUDIT_REWARD_PRELOAD_MODELS": "true",
    }
    argv = [sys.executable, "-m", "plaudit_reward", "worker", "--pool", "model"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no model is there (config.json is missing)" in done.stderr


def test_the_api_and_other_pools_import_no_torch() -> None:
    code = "import plaudit_reward.worker, plaudit_reward.app, sys; "
    code += "from plaudit_reward.registry import load_registry; load_registry(); "
    code += "print({'torch', 'transformers', 'tokenizers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_request_can_name_no_path() -> None:
    spec = RewardSpec(name="reward_model", params={"path": "/etc"})
    with pytest.raises(Rejected, match=r"params\.path: unknown"):
        load_registry().choose([spec])
