"""Fixtures of the rollout service's tests: settings, published versions, a stand-in for vLLM."""

import asyncio
import hashlib
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from plaudit.client import RolloutClient
from plaudit.schemas.policy import (
    MANIFEST_NAME,
    PolicyAnnouncement,
    PolicyFile,
    PolicyManifest,
    PolicyState,
    Probe,
    ProbeSequence,
)
from plaudit.schemas.rollout import RolloutAck, RolloutGroup
from plaudit.testing import running
from plaudit_rollout.app import make_app
from plaudit_rollout.settings import RolloutSettings
from plaudit_rollout.worker import work


def _module(name: str) -> ModuleType:
    """A helper module beside this file; importlib mode puts no test directory on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_settings(redis_url: str) -> Callable[..., RolloutSettings]:
    def make(**values: Any) -> RolloutSettings:
        quick: dict[str, Any] = {"port": 0, "drain_timeout_s": 0.2, "lease_s": 1.0, "poll_s": 0.05}
        return RolloutSettings(**{"redis_url": redis_url, **quick, **values})

    return make


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., PolicyAnnouncement]:
    """Writes a version that the stand-in for vLLM can load: its weights are one number."""

    def write(
        version: int,
        *,
        run_id: str = "run",
        value: float = -1.0,
        claimed: float | None = None,
        base: PolicyAnnouncement | None = None,
        name: str | None = None,
    ):
        """With `base` it is an adapter, whose number is added; then `claimed` says the sum."""
        directory = tmp_path / run_id.replace("/", "_") / (name or f"v{version}")
        directory.mkdir(parents=True)
        weights = str(value).encode()
        file_name = "adapter_model.safetensors" if base else "model.safetensors"
        (directory / file_name).write_bytes(weights)
        published = value if claimed is None else claimed
        manifest = PolicyManifest(
            run_id=run_id,
            version=version,
            step=version,
            files={
                file_name: PolicyFile(
                    sha256=hashlib.sha256(weights).hexdigest(), num_bytes=len(weights)
                )
            },
            base=base,
            probe=Probe(sequences=[ProbeSequence(token_ids=[1, 2], logprobs=[published])]),
        )
        raw = manifest.model_dump_json().encode()
        (directory / MANIFEST_NAME).write_bytes(raw)
        return PolicyAnnouncement(
            run_id=run_id,
            version=version,
            path=str(directory),
            manifest_sha256=hashlib.sha256(raw).hexdigest(),
        )

    return write


@pytest.fixture
async def engines() -> AsyncIterator[Callable]:
    """Starts stand-ins for vLLM: `engine = await engines()`."""
    fake = _module("fake_vllm")
    async with AsyncExitStack() as stack:

        async def start(**values: object):
            engine = fake.FakeVllm(**values)
            await engine.start()
            stack.push_async_callback(engine.stop)
            return engine

        yield start


@pytest.fixture
def api(make_settings: Callable[..., RolloutSettings]) -> Iterator[str]:
    settings = make_settings()
    with running(make_app(settings), settings) as url:
        yield url


@pytest.fixture
async def client(api: str) -> AsyncIterator[RolloutClient]:
    async with RolloutClient(api) as found:
        yield found


@asynccontextmanager
async def worker_of(settings: RolloutSettings) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(work(settings, stop))
    try:
        yield task
    finally:
        stop.set()
        await task


@pytest.fixture
def run_worker():
    """`async with run_worker(settings):` a worker in this process."""
    return worker_of


@pytest.fixture
def collect():
    async def take(
        client: RolloutClient, num_groups: int, run_id: str = "run", timeout_s: float = 60.0
    ) -> dict[str, RolloutGroup]:
        """Leases and acknowledges groups until there are so many; each comes once."""
        found: dict[str, RolloutGroup] = {}
        async with asyncio.timeout(timeout_s):
            while len(found) < num_groups:
                leased = await client.finished(run_id, 64, 0.2)
                for group in leased.groups:
                    assert group.group_id not in found
                    found[group.group_id] = group
                if leased.groups:
                    ids = [group.group_id for group in leased.groups]
                    acked = await client.ack(RolloutAck(run_id=run_id, group_ids=ids))
                    assert acked.acked == len(ids)
        return found

    return take


@pytest.fixture
def until_policy():
    async def wait(
        client: RolloutClient, check: Callable[[PolicyState], bool], timeout_s: float = 60.0
    ) -> PolicyState:
        state: PolicyState | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while not check(state := await client.policy()):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {timeout_s} s: {state}") from None
        return cast(PolicyState, state)

    return wait
