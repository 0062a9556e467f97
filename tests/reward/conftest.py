"""Real verifier processes, a real sandbox, and the whole service as its processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from plaudit.client import ClientOptions, RewardClient, SandboxClient
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest, ScoreResponse
from plaudit.testing import free_port
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.registry import Registry, load_registry
from plaudit_reward.reward import Pool
from plaudit_reward.scoring import Resources, Scorer
from plaudit_reward.settings import RewardSettings
from plaudit_reward.verifier.pool import VerifierLimits, VerifierPool
from plaudit_reward.verifier.verifier import Verifier
from plaudit_reward.wire import Value
from plaudit_reward.worker import for_intrinsic_rewards


@pytest.fixture
def registry() -> Registry:
    return load_registry()


@pytest.fixture
async def pool() -> AsyncIterator[VerifierPool]:
    async with VerifierPool(2, VerifierLimits(timeout_s=1.5)) as found:
        yield found


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    with Process("plaudit_sandbox", "api", PLAUDIT_SANDBOX_PORT=(port := str(free_port()))):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def sandbox(sandbox_url: str) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(sandbox_url) as client:
        await until_healthy(client)
        yield client


@pytest.fixture
async def others(redis_url: str) -> AsyncIterator[dict[type, object]]:
    """What `context.use` finds; the archives are empty."""
    settings = RewardSettings(redis_url=redis_url)
    async with for_intrinsic_rewards(settings) as found:
        yield found


@pytest.fixture
async def score(
    registry: Registry, pool: VerifierPool, sandbox: SandboxClient, others: dict[type, object]
) -> Any:
    """`await score("length", group, unit="characters")`, as the workers do it."""
    verifier, places = Verifier(pool), asyncio.Semaphore(8)

    async def call(name: str, group: RewardGroup, **params: Any) -> list[Value]:
        resources = Resources(verifier, sandbox, places, {ModelPool: ModelPool({}), **others})
        scorer = Scorer(registry, registry.rewards[name].pool, resources, 2**20)
        spec = RewardSpec(name=name, params=params)
        found = await scorer.score(ScoreRequest(groups=[group], rewards=[spec]))
        return found.groups[0][name]

    return call


@pytest.fixture
def group() -> Callable[..., RewardGroup]:
    """`group("18", "19", tokens=[3, 4], answer="18")`."""
    return group_of


def group_of(*texts: str, tokens: list[int] | None = None, **reference: Any) -> RewardGroup:
    counts: list[int] | list[None] = tokens or [None] * len(texts)
    answers = [Answer(text=text, num_tokens=n) for text, n in zip(texts, counts, strict=True)]
    return RewardGroup(group_id="g", prompt=[], completions=answers, reference=reference)


async def until_healthy(client: Any) -> None:
    async with asyncio.timeout(20):
        while not await client.healthy():
            await asyncio.sleep(0.05)


def until_vllm_answers(
    url: str, server: subprocess.Popen[bytes], log: Path, timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        tail = log.read_text(errors="replace")[-3000:]
        assert server.poll() is None, f"vLLM ended: {tail}"
        assert time.monotonic() < deadline, f"not ready: {tail}"
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2.0).status_code == 200:
                return
        time.sleep(0.2)


class Process:
    """`with Process("plaudit_reward", "api", PLAUDIT_REDIS_URL=...) as process: ...`"""

    def __init__(self, module: str, *arguments: str, **env: str) -> None:
        self.command = [sys.executable, "-m", module, *arguments]
        self.env = os.environ | env
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self.command, env=self.env)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(timeout=15)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


class Service:
    """The reward service of one test: an API, and the workers that the test starts."""

    def __init__(self, redis_url: str, sandbox_url: str, **settings: str) -> None:
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        self.env = {
            "PLAUDIT_REDIS_URL": redis_url,
            "PLAUDIT_SANDBOX_URL": sandbox_url,
            "PLAUDIT_REWARD_PORT": port,
            "PLAUDIT_REWARD_LEASE_S": "1",
            "PLAUDIT_REWARD_VERIFY_TIMEOUT_S": "1.5",
            "PLAUDIT_REWARD_SANDBOX_TIMEOUT_S": "10",
            "PLAUDIT_REWARD_DRAIN_TIMEOUT_S": "2",
        }
        self.env |= {f"PLAUDIT_REWARD_{name.upper()}": value for name, value in settings.items()}
        self.api = Process("plaudit_reward", "api", **self.env)
        self.processes = [self.api]
        self.client = RewardClient(self.url, ClientOptions(max_attempts=8))

    def worker(self, pool: Pool) -> Process:
        worker = Process("plaudit_reward", "worker", "--pool", pool, **self.env)
        self.processes.append(worker)
        return worker

    async def work(self, *pools: Pool) -> list[Process]:
        """Workers that have started to work: each has given a value."""
        workers = [self.worker(pool) for pool in pools]
        for pool in pools:
            name = "code" if pool == "code" else "format"
            group = group_of("-", tests=[{"stdout": ""}])
            async with asyncio.timeout(20):
                while (await self.score(group, name)).groups[0].scores[0].total is None:
                    pass
        return workers

    async def score(
        self, group: RewardGroup, *names: str, key: str | None = None, timeout_s: float = 60
    ) -> ScoreResponse:
        specs = [RewardSpec(name=name) for name in names]
        request = ScoreRequest(groups=[group], rewards=specs)
        return await self.client.score(request, idempotency_key=key, timeout_s=timeout_s)

    async def aclose(self) -> None:
        await self.client.aclose()
        for process in self.processes:
            process.__exit__()


@pytest.fixture
async def service(redis_url: str, sandbox_url: str) -> AsyncIterator[Callable[..., Any]]:
    """`s = await service(score_timeout_s="2")` starts the API; the test starts the workers."""
    started: list[Service] = []

    async def start(**settings: str) -> Service:
        redis, sandbox = settings.pop("redis", redis_url), settings.pop("sandbox", sandbox_url)
        one = Service(redis, sandbox, **settings)
        started.append(one)
        await until_healthy(one.client)
        return one

    yield start
    for one in started:
        await one.aclose()
