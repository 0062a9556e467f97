"""The kind `vllm` on a real vLLM pooling server on the CPU: the logits of Hugging Face."""

import math
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from plaudit.testing import free_port
from plaudit_reward.models.spec import VllmSpec
from tests.reward.conftest import until_vllm_answers

PYTHON = Path(__file__).parents[3] / ".venv-rollout" / "bin" / "python"
START_TIMEOUT_S = 240.0
TEXTS = ["4", "It is four.", "a rather long answer " * 5, "5", "né? 四"]

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no vLLM: {PYTHON} is missing (make setup)"),
]


@pytest.fixture(scope="module")
def classifier(tiny) -> Path:
    return tiny.classifier("served")


@pytest.fixture(scope="module")
def base_url(classifier: Path, tmp_path_factory) -> Iterator[str]:
    """One server for all tests here."""
    directory = tmp_path_factory.mktemp("vllm")
    port, log = free_port(), directory / "log"
    environment = {
        **{name: value for name, value in os.environ.items() if "PLAUDIT" not in name},
        "XDG_CACHE_HOME": str(directory / "cache"),
        # What vLLM finds out of a model class takes seconds, and is the same for all.
        "VLLM_CACHE_ROOT": str(Path.home() / ".cache" / "vllm"),
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "OMP_NUM_THREADS": "1",
    }
    argv = [
        str(PYTHON), "-m", "vllm.entrypoints.cli.main", "serve", str(classifier),
        "--runner", "pooling",
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager",
    ]  # fmt: skip
    with log.open("wb") as out:
        server = subprocess.Popen(
            argv, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        until_vllm_answers(f"http://127.0.0.1:{port}/health", server, log, START_TIMEOUT_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def spec(base_url: str, **more: Any) -> VllmSpec:
    return VllmSpec(**{"kind": "vllm", "base_url": base_url, "timeout_s": 30.0, **more})


async def test_gives_the_logits_of_hugging_face(
    base_url, classifier, pool, score, ask, logits_of
) -> None:
    group = ask(*TEXTS)
    expected = [logits[0] for logits in logits_of(classifier, group)]
    assert min(expected) < 0.0, "no sigmoid can be taken for these"
    models = await pool(
        classify=spec(base_url), pooling=spec(base_url, endpoint="pooling", mean=1.0, std=2.0)
    )
    for name in ("classify", "pooling"):
        values = await score(models, "reward_model", group, model=name)
        assert values == pytest.approx(expected, abs=1e-4)
    values = await score(models, "reward_model", group, model="pooling", normalize=True)
    assert values == pytest.approx([(value - 1.0) / 2.0 for value in expected], abs=1e-4)


async def test_vllm_squashes_unless_it_is_asked_not_to(
    base_url, classifier, ask, logits_of
) -> None:
    """What makes the test above worth something: it would fail if activation were left on."""
    group = ask("4")
    [[logit]] = logits_of(classifier, group)
    body = {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    body["messages"].append({"role": "assistant", "content": "4"})
    answer = httpx.post(f"{base_url}/classify", json=body, timeout=30.0).json()
    [value] = answer["data"][0]["probs"]
    assert value == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-4)
    assert abs(value - logit) > 0.1


async def test_what_is_too_long_is_null_or_cut_to_its_end(
    base_url, classifier, pool, score, ask, logits_of
) -> None:
    models = await pool(default=spec(base_url, template="plain", max_length_tokens=40))
    group = ask("x" * 300, "4", question="")
    [refused, fine] = await score(models, "reward_model", group)
    assert "the reward model refused the text" in refused
    assert isinstance(fine, float)
    long = ask("x" * 60 + "the end", question="")
    cut = ask("x" * 33 + "the end", question="")
    values = [
        await score(models, "reward_model", group, too_long="truncate") for group in (long, cut)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-4)
