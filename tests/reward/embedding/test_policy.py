"""The policy's hidden states, from an engine of the rollout service that pools: a real vLLM."""

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plaudit.testing import free_port
from plaudit_reward.embedding.embedder import directions
from plaudit_reward.embedding.endpoint import policy_embedder
from plaudit_reward.embedding.spec import PolicySpec
from tests.reward.conftest import until_vllm_answers

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-rollout" / "bin" / "python"
POOLING = '{"pooling_type": "MEAN"}'
ARGUMENTS = ["--runner", "pooling", "--convert", "embed", "--pooler-config", POOLING]
START_TIMEOUT_S = 150.0
CONTEXT = 1024


def test_the_page_has_these_arguments() -> None:
    assert json.dumps(ARGUMENTS) in (ROOT / "docs" / "reward.md").read_text()


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
        "PLAUDIT_ROLLOUT_MODEL": str(directory / "base"),
        "PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS": str(CONTEXT),
        "PLAUDIT_ROLLOUT_ENGINE_PORT": str(port),
        "PLAUDIT_ROLLOUT_THREADS": "1",
        "PLAUDIT_ROLLOUT_ENGINE_ARGUMENTS": json.dumps(ARGUMENTS),
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


@pytest.mark.vllm
@pytest.mark.timeout(300)
@pytest.mark.skipif(not PYTHON.exists(), reason=f"no vLLM: {PYTHON} is missing (make setup)")
async def test_it_is_the_mean_of_the_policys_last_hidden_states(engine: str, tiny: Any) -> None:
    import torch

    texts = ["I add 2 and 2.", "Count!", "x" * 2 * CONTEXT, "ünïcode"]
    embedder = policy_embedder(PolicySpec(kind="policy", base_url=engine))
    found = directions(await embedder.embed(texts))
    await embedder.aclose()
    model, tokenizer = tiny.make_model(1000, tie=True).model, tiny.make_tokenizer()
    for text, embedding in zip(texts, found, strict=True):
        token_ids = tokenizer(text)["input_ids"][:CONTEXT]
        with torch.no_grad():
            mean_H = model(torch.tensor([token_ids])).last_hidden_state[0].mean(0)
        [expected] = directions(mean_H.numpy()[None])
        assert embedding is not None and expected is not None
        np.testing.assert_allclose(embedding, expected, atol=1e-4)
