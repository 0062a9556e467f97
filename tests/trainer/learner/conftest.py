"""A tiny model, a run directory with a full ledger, and the learner as a real process."""

import json
import logging
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from plaudit.config.recipe import dump_recipe
from plaudit.config.settings import ServiceSettings
from plaudit.schemas.policy import PolicyAnnouncement, PolicyState
from plaudit.schemas.recipe import Recipe
from plaudit.schemas.reward import CompletionScore
from plaudit.schemas.rollout import Completion, RolloutGroup
from plaudit.schemas.run import ReadyGroup
from plaudit.service import create_app
from plaudit.testing.server import running
from plaudit_trainer.ledger import LearnerLedger, scripts
from plaudit_trainer.ledger.keys import script_keys

RUN_ID = "r"
VOCABULARY = 64
NUM_GENERATIONS = 4
SOURCES = [
    str(path)
    for root in ("shared", "services/trainer")
    for path in [Path(__file__).parents[3] / root / "src"]
]


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    """One token per printable character that the probe's texts use."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = sorted(set(" \nabcdefghijklmnopqrstuvwxyz0123456789?!.,+():TWHdefI'=*-/"))
    vocabulary = {c: i for i, c in enumerate(["<pad>", "<end>", "<unk>", *characters])}
    assert len(vocabulary) <= VOCABULARY
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<end>", unk_token="<unk>"
    )


@pytest.fixture(scope="session")
def make_model(tokenizer):
    """A random Qwen2; the same weights for the same seed."""

    def make(*, tied: bool = True, seed: int = 0):
        import torch
        from transformers import Qwen2Config, Qwen2ForCausalLM

        torch.manual_seed(seed)
        config = Qwen2Config(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=256,
            tie_word_embeddings=tied, bos_token_id=None, initializer_range=0.2,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
            dtype=torch.float32,
        )  # fmt: skip
        return Qwen2ForCausalLM(config)

    return make


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, make_model, tokenizer) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_model().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def make_recipe(model_dir: Path):
    """A recipe for the tiny model; keyword arguments replace parts: `budget={"steps": 3}`."""

    def make(**parts: Any) -> Recipe:
        document: dict[str, Any] = {
            "name": "test",
            "model": {"path": str(model_dir)},
            "rewards": [{"name": "accuracy"}, {"name": "format", "weight": 0.5}],
            "method": {"num_generations": NUM_GENERATIONS, "learning_rate": 1e-2},
            "pipeline": {"groups_per_step": 2, "max_staleness": 100, "stall_timeout_s": 20},
            "budget": {"steps": 4, "checkpoint_every_steps": 2},
            "learner": {"num_threads": 1},
        }
        for name, part in parts.items():
            old = document.get(name)
            document[name] = {**old, **part} if isinstance(old, dict) else part
        return Recipe.model_validate(document)

    return make


@pytest.fixture(scope="session")
def make_group():
    """A scored group with random tokens; the same for the same number."""

    def make(number: int, **changes: Any) -> ReadyGroup:
        rng = random.Random(number)
        prompt = [rng.randrange(3, VOCABULARY) for _ in range(rng.randrange(3, 9))]
        completions = [_completion(rng) for _ in range(NUM_GENERATIONS)]
        scores = changes.pop("scores", None) or [_score(rng) for _ in range(NUM_GENERATIONS)]
        group_id = f"0/{number}/0"
        rollout = RolloutGroup(
            run_id=RUN_ID, group_id=group_id, prompt=[], prompt_token_ids=prompt, reference={},
            completions=changes.pop("completions", completions), replica_id="x",
        )  # fmt: skip
        return ReadyGroup(
            group_id=group_id, kind="k", rollout=rollout, scores=scores,
            admitted_at=0.0, ready_at=0.0,
        )  # fmt: skip

    return make


def _completion(rng: random.Random) -> Completion:
    ids = [rng.randrange(3, VOCABULARY) for _ in range(rng.randrange(1, 12))]
    logprobs = [-rng.uniform(2.0, 5.0) for _ in ids]
    return Completion(
        text="x", token_ids=ids, logprobs=logprobs, finish_reason="stop", policy_versions=[0]
    )


def _score(rng: random.Random) -> CompletionScore:
    rewards: dict[str, float | None] = {
        "accuracy": float(rng.random() < 0.5),
        "format": rng.random(),
    }
    return CompletionScore(total=0.0, rewards=rewards)


class RunningLedger(LearnerLedger):
    """The learner's ledger, and a way to make groups ready as the conductor would."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client, RUN_ID)
        self.client = client
        self._admit_script = client.register_script(scripts.ADMIT)
        self._ready_script = client.register_script(scripts.READY)

    def fill(self, groups: list[ReadyGroup]) -> None:
        live = self.counts().admitted + len(groups)
        self._admit_script(keys=script_keys(RUN_ID), args=[live, 10**6, len(groups), time.time()])
        for group in groups:
            payload = group.model_dump_json().encode()
            arguments: list[str | bytes] = [group.group_id, payload]
            assert self._ready_script(keys=script_keys(RUN_ID), args=arguments), group.group_id

    def states(self) -> dict[str, str]:
        found = self.client.hgetall(f"plaudit:run:{RUN_ID}:state")
        return {key.decode(): value.decode() for key, value in found.items()}

    def progress(self) -> dict[str, Any]:
        found = self.client.hgetall(f"plaudit:run:{RUN_ID}:progress")
        return {key.decode(): json.loads(value) for key, value in found.items()}


@pytest.fixture
def ledger(redis_url: str) -> Iterator[RunningLedger]:
    with redis.Redis.from_url(redis_url) as client:
        yield RunningLedger(client)


@pytest.fixture
def make_run_dir(tmp_path: Path) -> Callable[..., Path]:
    def make(recipe: Recipe, name: str = "run") -> Path:
        path = tmp_path / name
        path.mkdir()
        (path / "recipe.toml").write_text(dump_recipe(recipe))
        (path / "run.json").write_text(json.dumps({"run_id": RUN_ID}))
        return path

    return make


@pytest.fixture
def limited_file_size():
    """A disk that refuses: no file may grow beyond so many bytes."""

    @contextmanager
    def limit(num_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@dataclass
class Announced:
    """What the rollout service of a test was told."""

    url: str = ""
    versions: list[PolicyAnnouncement] = field(default_factory=list)


@pytest.fixture
def rollout_service() -> Iterator[Announced]:
    """A real HTTP server that takes announcements, as the rollout API does."""
    announced = Announced()
    app = create_app(name="rollout", settings=ServiceSettings())

    @app.put("/v1/policy")
    async def announce(announcement: PolicyAnnouncement) -> PolicyState:
        announced.versions.append(announcement)
        return PolicyState(announced=announcement, replicas=[])

    with running(app) as url:
        announced.url = url
        yield announced


@dataclass
class Learner:
    """Starts learner processes and leaves none behind."""

    env: dict[str, str]
    python: str = sys.executable
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, run_dir: Path, *launcher: str, **env: str) -> subprocess.Popen[str]:
        command = launcher or (self.python,)
        process = subprocess.Popen(
            [*command, "-m", "plaudit_trainer.learner", "--run-dir", str(run_dir)],
            env={**self.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def run(self, run_dir: Path, *launcher: str, **env: str) -> tuple[int, str]:
        """The exit code and the output."""
        process = self.start(run_dir, *launcher, **env)
        output, _ = process.communicate(timeout=280)
        return process.returncode, output


@pytest.fixture
def train_here(redis_url: str, rollout_service: Announced, monkeypatch: pytest.MonkeyPatch):
    """The learner in the test's own process, which saves the seconds that torch takes to load."""
    import structlog

    from plaudit_trainer.learner.main import run

    monkeypatch.setenv("PLAUDIT_REDIS_URL", redis_url)
    monkeypatch.setenv("PLAUDIT_ROLLOUT_URL", rollout_service.url)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def learner(redis_url: str, rollout_service: Announced) -> Iterator[Learner]:
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*SOURCES, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PLAUDIT_REDIS_URL": redis_url,
        "PLAUDIT_ROLLOUT_URL": rollout_service.url,
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
    }
    learner = Learner(env, sys.executable)
    yield learner
    for process in learner.processes:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
