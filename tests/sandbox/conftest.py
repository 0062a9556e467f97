"""A real sandbox service: as whoever runs the tests, as an ordinary user, as in a container."""

import asyncio
import os
import re
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


@pytest.fixture(scope="session", params=["self", "user", "container", "root-container"])
def _sandbox_process(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    if request.param == "root-container" and os.getuid() != 0:
        pytest.skip("only root can be root in a container that has other users")
    with sandbox_process(request.param) as found:
        yield found


@pytest.fixture
async def sandbox(_sandbox_process: tuple[str, int]) -> AsyncIterator[Sandbox]:
    """The same services for all tests: no run may leave anything behind in them."""
    url, pid = _sandbox_process
    client = await connected(url)
    yield Sandbox(url, pid, client)
    await client.aclose()


@pytest.fixture
async def leaves_nothing(sandbox: Sandbox) -> AsyncIterator[None]:
    """After the test no process of a run is left, and the next run is as the first."""
    yield
    async with asyncio.timeout(5):
        while left_over(sandbox.pid):
            await asyncio.sleep(0.02)
    code = "import os, sys; print(os.listdir(), len(os.environ), sys.argv)"
    result = await sandbox.run(code)
    assert (result.status, result.stdout) == ("ok", "['main.py'] 0 ['main.py']\n"), result


@pytest.fixture
def own_sandbox() -> Callable[..., object]:
    """For tests that need settings of their own, or that break it."""
    return sandbox_process


def left_over(service_pid: int) -> list[str]:
    """Processes of this service's runs that are still there, whoever their parent is by now."""
    [launcher] = Path(f"/proc/{service_pid}/task/{service_pid}/children").read_text().split()
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and _is_of_a_run(pid, launcher)]


def _is_of_a_run(pid: str, launcher: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        same = _command(pid) == _command(launcher)
        inside = _directory(launcher) in os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    state, parent = stat[0], stat[1]
    return pid != launcher and state not in "ZX" and (same or inside or parent == launcher)


def _directory(launcher: str) -> str:
    """Its own: other services run at the same time."""
    found = re.search(rb'"directory": "([^"]+)"', _command(launcher))
    assert found is not None
    return Path(found[1].decode()).name


def _command(pid: str) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
