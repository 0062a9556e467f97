"""A worker beside an engine that pools: it follows the policy, proves it, and says which it is."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.policy import MANIFEST_NAME, PolicyManifest, Probe, ProbeSequence
from plaudit.schemas.rollout import RolloutPrompt, RolloutRequest
from plaudit_rollout.engine.client import EngineClient, EngineFailed
from plaudit_rollout.engine.command import make_command
from plaudit_rollout.policy.loaders import make_loaders
from plaudit_rollout.policy.pooled_probe import check_pooled_probe
from plaudit_rollout.policy.probe import ProbeFailed
from plaudit_rollout.policy.weights import Weights
from plaudit_rollout.settings import RolloutSettings
from tests.rollout.fake_pooling import PROBES, FakePooling, logprobs, make_weights, publish


@pytest.fixture
async def engine() -> AsyncIterator[FakePooling]:
    found = FakePooling()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def following(
    engine: FakePooling, make_settings: Callable[..., RolloutSettings], run_worker: Any
) -> AsyncIterator[None]:
    async with run_worker(make_settings(engine_url=engine.url, pooling=True)):
        yield


async def until(engine: FakePooling, *beginnings: str) -> None:
    """Its last stamps begin so."""
    async with asyncio.timeout(10.0):
        while not (
            len(engine.stamps) >= len(beginnings)
            and all(map(str.startswith, engine.stamps[-len(beginnings) :], beginnings))
        ):
            await asyncio.sleep(0.01)


async def test_it_loads_each_version_and_stamps_the_engine_around_it(
    engine: FakePooling, following: None, client: Any, tmp_path: Path
) -> None:
    for version in range(2):
        await client.announce(publish(tmp_path, version, seed=version + 1))
        await until(engine, "loading:", f"serving:run:{version}:")
        weights = make_weights(version + 1)
        assert (engine.weights["lm_head.weight"] == weights["lm_head.weight"]).all()
    assert len(set(engine.stamps)) == 5
    # Who asks for replicas asks who generates.
    assert (await client.policy()).replicas == []


async def test_a_version_that_fails_its_probe_leaves_the_one_before_it(
    engine: FakePooling, following: None, client: Any, tmp_path: Path
) -> None:
    await client.announce(publish(tmp_path, 0, seed=1))
    await until(engine, "loading:", "serving:run:0:")
    first = engine.stamp
    await client.announce(publish(tmp_path, 1, seed=2, claimed=3))
    await until(engine, "serving:run:0:", "loading:", "serving:run:0:")
    assert engine.stamp != first
    assert (engine.weights["lm_head.weight"] == make_weights(1)["lm_head.weight"]).all()


async def test_a_first_version_that_fails_is_never_stamped_as_serving(
    engine: FakePooling, following: None, client: Any, tmp_path: Path
) -> None:
    await client.announce(publish(tmp_path, 0, seed=1, claimed=3))
    await until(engine, "loading:")
    async with asyncio.timeout(10.0):
        while engine.num_embedded == 0 or not engine.running.is_set():
            await asyncio.sleep(0.01)
    assert engine.stamp.startswith("loading:")


async def test_an_engine_that_restarted_gets_the_newest_version_again(
    engine: FakePooling, following: None, client: Any, tmp_path: Path
) -> None:
    await client.announce(publish(tmp_path, 0, seed=1))
    await until(engine, "serving:run:0:")
    engine.weights = make_weights(0)
    engine.stamps.clear()
    await engine.restart()
    await until(engine, "loading:", "serving:run:0:")
    assert (engine.weights["lm_head.weight"] == make_weights(1)["lm_head.weight"]).all()


async def test_an_adapter_is_refused_with_what_to_set(
    engine: FakePooling, following: None, client: Any, tmp_path: Path, capfd: Any
) -> None:
    whole = publish(tmp_path, 0, seed=1)
    await client.announce(whole)
    await until(engine, "serving:run:0:")
    directory = Path(publish(tmp_path, 1, seed=2).path)
    manifest = PolicyManifest.model_validate_json((directory / MANIFEST_NAME).read_bytes())
    raw = manifest.model_copy(update={"base": whole}).model_dump_json().encode()
    (directory / MANIFEST_NAME).write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    announced = {"version": 1, "path": str(directory), "manifest_sha256": digest}
    await client.announce(whole.model_copy(update=announced))
    await asyncio.sleep(0.5)
    assert engine.stamp.startswith("serving:run:0:")
    # To stdout unless an earlier test of this process has set up the log.
    assert "set model.lora.publish = 'merged'" in "".join(capfd.readouterr())


async def test_it_generates_nothing(
    engine: FakePooling, following: None, client: Any, tmp_path: Path
) -> None:
    await client.announce(publish(tmp_path, 0, seed=1))
    await until(engine, "serving:run:0:")
    prompt = RolloutPrompt(group_id="a", prompt=[Message(role="user", content="hi")], n=1)
    await client.submit(RolloutRequest(run_id="run", groups=[prompt]))
    assert (await client.finished("run", 1, 0.2)).groups == []
    assert engine.num_generated == 0


@pytest.fixture
async def asking(engine: FakePooling) -> AsyncIterator[EngineClient]:
    client = EngineClient(engine.url, 5.0, 5.0)
    yield client
    await client.aclose()


def probe_of(directory: Path) -> Probe:
    raw = (directory / MANIFEST_NAME).read_bytes()
    return PolicyManifest.model_validate_json(raw).probe


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "tied"])
async def test_the_proof_reads_the_published_output_layer_in_any_type(
    engine: FakePooling, asking: EngineClient, tmp_path: Path, kind: str
) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    dtype = {"F16": torch.float16, "BF16": torch.bfloat16}.get(kind, torch.float32)
    rounded = {name: torch.tensor(value).to(dtype) for name, value in make_weights(1).items()}
    if kind == "tied":
        del rounded["lm_head.weight"]
    save_file(rounded, tmp_path / "model.safetensors")
    engine.weights = {name: value.float().numpy() for name, value in rounded.items()}
    engine.weights.setdefault("lm_head.weight", engine.weights["model.embed_tokens.weight"])
    probe = Probe(
        sequences=[
            ProbeSequence(token_ids=ids, logprobs=logprobs(engine.weights, ids)) for ids in PROBES
        ]
    )
    assert await check_pooled_probe(asking, probe, tmp_path) < 0.01
    engine.weights = make_weights(2)
    with pytest.raises(ProbeFailed, match="did not load as published"):
        await check_pooled_probe(asking, probe, tmp_path)


async def test_what_is_no_number_proves_nothing(
    engine: FakePooling, asking: EngineClient, tmp_path: Path
) -> None:
    directory = Path(publish(tmp_path, 0, seed=1).path)
    engine.weights = {name: value * np.nan for name, value in make_weights(1).items()}
    with pytest.raises(EngineFailed, match="should be a finite number"):
        await check_pooled_probe(asking, probe_of(directory), directory)


async def test_an_output_layer_of_another_width_proves_nothing(
    engine: FakePooling, asking: EngineClient, tmp_path: Path
) -> None:
    directory = Path(publish(tmp_path, 0, seed=1).path)
    engine.weights = {name: value[:, :4] for name, value in make_weights(1).items()}
    with pytest.raises(ProbeFailed, match=r"lm_head.weight is F32 \[50, 8\]; .* have 4 numbers"):
        await check_pooled_probe(asking, probe_of(directory), directory)


def test_the_engine_is_started_for_pooling(
    make_settings: Callable[..., RolloutSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plaudit_rollout.engine.command.is_cpu_build", lambda: True)
    command = make_command(make_settings(pooling=True), "/model")
    assert command.arguments[-6:] == [
        "--runner", "pooling", "--convert", "embed", "--pooler-config", '{"pooling_type": "MEAN"}',
    ]  # fmt: skip
    assert "--runner" not in make_command(make_settings(), "/model").arguments


async def test_without_numpy_it_does_not_start(
    make_settings: Callable[..., RolloutSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plaudit_rollout.policy.pooled_probe", None)
    engine = EngineClient("http://127.0.0.1:1", 1.0, 1.0)
    with pytest.raises(ConfigError, match=r"plaudit-rollout\[pooling\]"):
        make_loaders(make_settings(pooling=True), engine, Weights())
    await engine.aclose()
