"""The policy's hidden states, from an engine of the rollout service that pools: a real vLLM."""

import asyncio
import importlib.util
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plaudit.schemas.policy import PolicyAnnouncement
from plaudit.testing import free_port
from plaudit_reward.embedding.embedder import Embeddings, directions
from plaudit_reward.embedding.endpoint import policy_embedder
from plaudit_reward.embedding.following import FollowingEmbedder
from plaudit_reward.embedding.spec import PolicySpec
from plaudit_rollout.policy.board import PolicyBoard
from plaudit_rollout.redis_client import connect
from plaudit_rollout.settings import RolloutSettings
from plaudit_rollout.worker import work
from tests.reward.conftest import until_vllm_answers

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-rollout" / "bin" / "python"
START_TIMEOUT_S = 150.0
CONTEXT = 1024
TEXTS = ("I add 2 and 2.", "Count!", "x" * 2 * CONTEXT, "ünïcode")

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no vLLM: {PYTHON} is missing (make setup)"),
]


@pytest.fixture(scope="module")
def tiny() -> Any:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    path = ROOT / "tests" / "rollout" / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def engine(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("pooling")
    tiny.save_base(directory / "base")
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if "PLAUDIT" not in name},
        "XDG_CACHE_HOME": str(directory / "cache"),
        # What vLLM finds out of a model class takes seconds, and is the same for all.
        "VLLM_CACHE_ROOT": str(Path.home() / ".cache" / "vllm"),
        "PLAUDIT_ROLLOUT_MODEL": str(directory / "base"),
        "PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS": str(CONTEXT),
        "PLAUDIT_ROLLOUT_ENGINE_PORT": str(port),
        "PLAUDIT_ROLLOUT_THREADS": "1",
        "PLAUDIT_ROLLOUT_POOLING": "true",
    }
    log = directory / "engine.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [PYTHON, "-m", "plaudit_rollout.cli", "engine"],
            env=environment, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        until_vllm_answers(f"http://127.0.0.1:{port}/health", process, log, START_TIMEOUT_S)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


async def test_it_is_the_mean_of_the_policys_last_hidden_states(engine: str, tiny: Any) -> None:
    embedder = policy_embedder(PolicySpec(kind="policy", base_url=engine))
    found = await embedder.embed(TEXTS)
    await embedder.aclose()
    assert_embeddings(found, tiny.make_model(1000, tie=True), tiny)


async def test_it_follows_every_version_that_is_proven(
    engine: str, tiny: Any, tmp_path: Path, redis_url: str
) -> None:
    """The worker proves each on this vLLM; what it refuses is not embedded with."""
    url = engine.removesuffix("/v1")
    settings = RolloutSettings(redis_url=redis_url, engine_url=url, pooling=True, poll_s=0.05)
    embedder = FollowingEmbedder(PolicySpec(kind="policy", base_url=engine, follow=True))
    async with publishing(settings) as announce, aclosing(embedder):
        for version, seed in enumerate((1, 2)):
            model = tiny.make_model(seed, tie=seed == 2)
            await announce(tiny.publish(tmp_path, "run", version, model))
            await until_stamped(embedder, f"serving:run:{version}:")
            assert_embeddings(await embedder.embed(TEXTS), model, tiny)
        lacks = "model.layers.1.self_attn.q_proj.weight"
        before = await embedder.stamp()
        await announce(tiny.publish(tmp_path, "run", 2, tiny.make_model(3), drop=lacks))
        await until_stamped(embedder, "serving:run:1:", other_than=before)
        assert_embeddings(await embedder.embed(TEXTS), tiny.make_model(2, tie=True), tiny)


@asynccontextmanager
async def publishing(
    settings: RolloutSettings,
) -> AsyncIterator[Callable[[PolicyAnnouncement], Awaitable[None]]]:
    """A worker beside the engine; announces versions to it."""
    stop, redis = asyncio.Event(), connect(settings.redis_url)
    task = asyncio.create_task(work(settings, stop))
    try:
        yield PolicyBoard(redis, settings.replica_ttl_s).announce
    finally:
        stop.set()
        await task
        await redis.aclose()


async def until_stamped(embedder: FollowingEmbedder, beginning: str, other_than: str = "") -> None:
    async with asyncio.timeout(60.0):
        while not (stamp := await embedder.stamp()).startswith(beginning) or stamp == other_than:
            await asyncio.sleep(0.02)


def assert_embeddings(found: Embeddings, model: Any, tiny: Any) -> None:
    """They have the directions of this model's mean last hidden states."""
    import torch

    tokenizer = tiny.make_tokenizer()
    for text, embedding in zip(TEXTS, directions(found), strict=True):
        token_ids = tokenizer(text)["input_ids"][:CONTEXT]
        with torch.no_grad():
            mean_H = model.model(torch.tensor([token_ids])).last_hidden_state[0].mean(0)
        [expected] = directions(mean_H.numpy()[None])
        assert embedding is not None and expected is not None
        np.testing.assert_allclose(embedding, expected, atol=1e-4)
