"""A real sandbox service: as whoever runs the tests, as an ordinary user, as in a container."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plaudit.client import ClientOptions, SandboxClient
from plaudit.schemas.sandbox import Language, Limits, RunRequest, RunResult
from plaudit.testing import free_port

AS_OTHER = str(Path(__file__).with_name("as_other.py"))
SECRET = "key-that-programs-must-not-see"


class Sandbox:
    """`await sandbox.run("print(1)", wall_s=1)` against the process under test."""

    def __init__(self, url: str, pid: int, client: SandboxClient) -> None:
        self.url = url
        self.pid = pid
        self.client = client

    async def run(
        self, code: str, stdin: str = "", files: dict[str, str] | None = None, **limits: float
    ) -> RunResult:
        bounds = Limits(**({"wall_s": 5.0, "cpu_s": 5.0} | limits))
        request = RunRequest(code=code, stdin=stdin, files=files or {}, limits=bounds)
        return await self.client.run(request)

    async def call(self, code: str, **fields: Any) -> RunResult:
        """Any other fields of a RunRequest."""
        return await self.client.run(RunRequest(code=code, **fields))

    async def needs(self, language: Language) -> None:
        """Skips the test where programs in it do not run."""
        info = (await self.client.languages()).languages[language]
        if not info.available:
            pytest.skip(f"{language}: {info.reason}")

    async def has(self, protection: str) -> bool:
        return bool((await self.client.info())["protections"][protection])


@contextmanager
def sandbox_process(who: str, **settings: str) -> Iterator[tuple[str, int]]:
    port = free_port()
    env = os.environ | {
        "PLAUDIT_SANDBOX_PORT": str(port),
        "PLAUDIT_API_KEYS": SECRET,
        "PLAUDIT_SANDBOX_LOG_LEVEL": "warning",
    }
    env |= {f"PLAUDIT_SANDBOX_{name.upper()}": value for name, value in settings.items()}
    prefix = [] if who == "self" else [sys.executable, AS_OTHER, who]
    command = [*prefix, sys.executable, "-m", "plaudit_sandbox", "api"]
    process = subprocess.Popen(command, env=env)
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


async def connected(url: str, **options: int) -> SandboxClient:
    client = SandboxClient(url, ClientOptions(api_key=SECRET, **options))
    async with asyncio.timeout(20):
        while not await client.healthy():
            await asyncio.sleep(0.05)
    return client


@pytest.fixture(scope="session", params=["self", "user", "container"])
def _sandbox_process(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    with sandbox_process(request.param) as found:
        yield found


@pytest.fixture
async def sandbox(_sandbox_process: tuple[str, int]) -> AsyncIterator[Sandbox]:
    """The same two services for all tests: no run may leave anything behind in them."""
    url, pid = _sandbox_process
    client = await connected(url)
    yield Sandbox(url, pid, client)
    await client.aclose()


@pytest.fixture
def own_sandbox() -> Callable[..., object]:
    """For tests that need settings of their own, or that break it."""
    return sandbox_process
