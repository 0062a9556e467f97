"""The service around the runs: what it publishes, refuses, bounds and survives."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from plaudit.client import ClientOptions, SandboxClient
from plaudit.errors import ConfigError, QueueFull, Unauthorized, Unavailable
from plaudit.schemas.sandbox import Limits, RunRequest
from plaudit.testing import descendants
from plaudit_sandbox.protections import PROTECTIONS, TIERS, check_minimum, required, tier

Process = Callable[..., AbstractContextManager[tuple[str, int]]]


async def connected(url: str, **options: Any) -> SandboxClient:
    client = SandboxClient(url, ClientOptions(api_key="key-that-programs-must-not-see", **options))
    async with asyncio.timeout(20):
        while not await client.healthy():
            await asyncio.sleep(0.05)
    return client


async def test_publishes_what_protects_the_programs(own_sandbox: Process) -> None:
    published = {}
    for who in ("self", "user", "container"):
        with own_sandbox(who) as (url, _):
            client = await connected(url)
            published[who] = await client.info()
            assert (await client.run(RunRequest(code=""))).tier == published[who]["tier"]
            async with httpx.AsyncClient() as http:
                checks = (await http.get(f"{url}/readyz")).json()["checks"]
            assert checks == {"launcher": "ok", "isolation": published[who]["tier"]}
            await client.aclose()
    assert published["self"]["tier"] == published["user"]["tier"] == "strict"
    inside = published["container"]["protections"]
    assert published["container"]["tier"] == "basic"
    lacking = ("pid_namespace", "network_namespace", "private_tmp", "private_root")
    assert not any(inside[name] for name in lacking)
    assert all(inside[name] for name in ("landlock", "seccomp", "no_network", "unprivileged"))
    assert set(inside) == set(PROTECTIONS)


async def test_metrics_name_each_protection_and_count_runs(sandbox: Any) -> None:
    await sandbox.run("print(1)")
    async with httpx.AsyncClient() as http:
        headers = {"authorization": "Bearer key-that-programs-must-not-see"}
        text = (await http.get(f"{sandbox.url}/metrics", headers=headers)).text
    assert 'plaudit_sandbox_protection{protection="no_network"} 1.0' in text
    assert 'plaudit_sandbox_runs_total{status="ok"}' in text


def test_refuses_to_start_below_the_minimum() -> None:
    """In a container there are no namespaces; `strict` needs them."""
    wrapper = str(Path(__file__).with_name("as_other.py"))
    env = os.environ | {"PLAUDIT_SANDBOX_PORT": "0", "PLAUDIT_SANDBOX_MIN_ISOLATION": "strict"}
    done = subprocess.run(
        [sys.executable, wrapper, "container", sys.executable, "-m", "plaudit_sandbox", "api"],
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert "error: min_isolation = 'strict' needs private_root, pid_namespace, " in done.stderr
    assert "; pid_namespace: allow user namespaces" in done.stderr


def test_the_minimum_names_what_is_missing_and_the_remedy() -> None:
    active = [name for name in TIERS["basic"] if name != "no_network"]
    with pytest.raises(ConfigError, match="needs no_network, which") as caught:
        check_minimum("basic", active)
    assert "no_network: allow user namespaces or the seccomp" in str(caught.value)
    check_minimum("rlimits, process_group", active)
    check_minimum("none", [])
    assert (tier(active), tier(TIERS["basic"]), tier(PROTECTIONS)) == ("none", "basic", "strict")


@pytest.mark.parametrize("setting", ["", " , ", "basic,nonsense", "none,"])
def test_a_minimum_that_means_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="min_isolation"):
        required(setting)


async def test_more_than_may_wait_are_told_to_come_back(own_sandbox: Process) -> None:
    with own_sandbox("self", max_concurrency="1", max_waiting="2") as (url, _):
        client = await connected(url, max_attempts=1)
        request = RunRequest(code="import time; time.sleep(1)")
        results = await asyncio.gather(
            *(client.run(request) for _ in range(6)), return_exceptions=True
        )
        full = [result for result in results if isinstance(result, QueueFull)]
        assert (len(full), len(results) - len(full)) == (3, 3)
        assert all(error.retry_after_s for error in full)
        assert (await client.run(RunRequest(code="print(1)"))).stdout == "1\n"
        await client.aclose()


async def test_a_killed_launcher_fails_its_run_as_retryable_and_is_replaced(
    own_sandbox: Process,
) -> None:
    with own_sandbox("self") as (url, pid):
        client = await connected(url, max_attempts=1)
        running = asyncio.create_task(client.run(RunRequest(code="import time; time.sleep(2)")))
        await asyncio.sleep(0.5)
        [launcher] = children(pid)
        [monitor] = children(launcher)
        os.kill(monitor, signal.SIGKILL)
        with pytest.raises(Unavailable) as caught:
            await running
        assert caught.value.retryable
        os.kill(launcher, signal.SIGKILL)
        await asyncio.sleep(0.1)
        assert (await client.run(RunRequest(code="print(2)"))).stdout == "2\n"
        assert children(pid) != [launcher]
        await client.aclose()


async def test_a_killed_service_leaves_no_process_behind(own_sandbox: Process) -> None:
    with own_sandbox("self") as (url, pid):
        client = await connected(url, max_attempts=1)
        limits = Limits(wall_s=30)
        request = RunRequest(code="import time; time.sleep(30)", limits=limits)
        running = asyncio.create_task(client.run(request))
        await asyncio.sleep(0.5)
        family = descendants(pid)
        assert len(family) >= 3
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await running
        deadline = time.monotonic() + 30
        while any(alive(one) for one in family) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        assert [one for one in family if alive(one)] == []
        await client.aclose()


async def test_a_wrong_key_runs_nothing(sandbox: Any) -> None:
    async with SandboxClient(sandbox.url) as stranger:
        with pytest.raises(Unauthorized):
            await stranger.run(RunRequest(code="print(1)"))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code": 1}', b'{"code": "", "language": "cobol"}', b'{"cod": ""}']
)
async def test_nonsense_is_answered_422(sandbox: Any, body: bytes) -> None:
    headers = {
        "authorization": "Bearer key-that-programs-must-not-see",
        "content-type": "application/json",
    }
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{sandbox.url}/v1/run", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_text_that_cannot_be_encoded_is_no_server_error(sandbox: Any) -> None:
    """A lone surrogate, and a NUL, in each of the texts."""
    headers = {
        "authorization": "Bearer key-that-programs-must-not-see",
        "content-type": "application/json",
    }
    async with httpx.AsyncClient() as http:
        for text in (r"\ud800", r"\u0000"):
            for body in (
                f'{{"code": "print(1) # {text}"}}',
                f'{{"code": "", "stdin": "{text}"}}',
                f'{{"code": "", "files": {{"a": "{text}"}}}}',
                f'{{"code": "", "files": {{"a{text}": ""}}}}',
            ):
                answer = await http.post(
                    f"{sandbox.url}/v1/run", content=body.encode(), headers=headers
                )
                assert answer.status_code in (200, 422), answer.text


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
