"""The real `plaudit` as a subprocess, in a directory that must not change when it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plaudit.testing import free_ports, pids_with, running
from plaudit_reward.app import build_app as reward_app
from plaudit_reward.settings import RewardSettings
from plaudit_rollout.app import make_app as rollout_app
from plaudit_rollout.settings import RolloutSettings
from plaudit_trainer.seed.tokenizer import make_tokenizer

PLAUDIT = Path(sys.executable).parent / "plaudit"
SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
ENGINE = """#!/bin/sh
# Stands in for the console script beside vLLM: it loads a large model.
exec sleep 600
"""


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model so small that a learner started beside what a test is about has nothing to refuse."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    path = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer(["1+1? It is 2."], vocabulary_size=300)
    tokenizer.save_pretrained(path)
    config = Qwen2Config(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, max_position_embeddings=2048,
        tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(path)
    return path


@dataclass
class Command:
    """`directory` is where every command runs; an earlier run of the user's is in it."""

    directory: Path
    env: dict[str, str]

    def train(self, *arguments: str, **env: Any) -> "subprocess.CompletedProcess[str]":
        return self.run("train", "recipe.toml", *arguments, **env)

    def run(
        self, *arguments: str, before: tuple[str, ...] = (), **env: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*before, str(PLAUDIT), *arguments],
            cwd=self.directory, env=self.env | env, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def refuses(self, done: "subprocess.CompletedProcess[str]", *said: str) -> str:
        """Exit code 2, in words, and nothing is left behind. Returns what it said."""
        output = done.stdout + done.stderr
        assert done.returncode == 2, output
        assert "error: " in done.stderr and "Traceback" not in output
        for part in said:
            assert part in done.stderr, output
        assert sorted(path.name for path in (self.directory / "runs").iterdir()) == [
            "earlier", "latest", "newer",
        ]  # fmt: skip
        assert os.readlink(self.directory / "runs/latest") == "earlier"
        assert self.processes() == []
        return done.stderr

    def processes(self) -> list[int]:
        """Everything that this command started, found by its environment."""
        own = {
            "PLAUDIT_STATE_DIR": self.env["PLAUDIT_STATE_DIR"],
            "TEST_DIRECTORY": str(self.directory),
        }
        return pids_with(**own)


def rows(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def plaudit(tmp_path: Path, model_dir: Path) -> Iterator[Command]:
    question = {"question": "1+1?", "answer": "It is 2.\n#### 2"}
    (tmp_path / "train.jsonl").write_text(rows(question, question))
    (tmp_path / "recipe.toml").write_text(recipe_text(model_dir))
    for name in ("earlier", "newer"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "recipe.toml").write_text(recipe_text(model_dir))
        record = {"run_id": name, "created_at": f"2026-01-0{len(name) - 4}"}
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(record))
    (tmp_path / "runs/latest").symlink_to("earlier")
    engine = tmp_path / "engine"
    engine.mkdir()
    for name in ("python", "plaudit-rollout"):
        (engine / name).write_text(ENGINE)
        (engine / name).chmod(0o755)
    ports = free_ports(len(SERVICES) + 1)
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    env |= {f"PLAUDIT_{s.upper()}_PORT": str(p) for s, p in zip(SERVICES, ports, strict=False)}
    env |= {
        "PLAUDIT_ROLLOUT_ENGINE_PORT": str(ports[-1]),
        "PLAUDIT_ROLLOUT_PYTHON": str(engine / "python"),
        "PLAUDIT_CACHE_DIR": str(tmp_path / "cache"),
        "PLAUDIT_STATE_DIR": str(tmp_path / "state"),
        "TEST_DIRECTORY": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = Command(tmp_path, env)
    yield command
    time.sleep(0.1 if command.processes() else 0.0)
    for pid in command.processes():
        os.kill(pid, signal.SIGKILL)


def recipe_text(model_dir: Path) -> str:
    return f"""
name = "bad"
[model]
path = "{model_dir}"
max_model_tokens = 128
[data]
train = "train.jsonl"
eval = ""
format = "gsm8k"
[[rewards]]
name = "accuracy"
[method]
num_generations = 2
max_completion_tokens = 32
[pipeline]
groups_per_step = 2
[learner]
num_threads = 1
"""


@pytest.fixture
def services(redis_url: str) -> Iterator[Callable[..., dict[str, str]]]:
    """The rollout and the reward API run elsewhere: `env = services(rollout_keys="...")`."""
    opened = []

    def start(rollout_keys: str = "", reward_keys: str = "") -> dict[str, str]:
        rollout = RolloutSettings(port=0, redis_url=redis_url, api_keys=keys(rollout_keys))
        reward = RewardSettings(port=0, redis_url=redis_url, api_keys=keys(reward_keys))
        urls = []
        for app, settings in ((rollout_app(rollout), rollout), (reward_app(reward), reward)):
            opened.append(running(app, settings))
            urls.append(opened[-1].__enter__())
        return {
            "PLAUDIT_REDIS_URL": redis_url,
            "PLAUDIT_ROLLOUT_URL": urls[0],
            "PLAUDIT_REWARD_URL": urls[1],
        }

    yield start
    for one in opened:
        one.__exit__(None, None, None)


def keys(text: str) -> Any:
    return text.split(",") if text else []
