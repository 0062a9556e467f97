"""A service for clients of other sandboxes, and what these clients send."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import SECRET, connected, sandbox_process

HEADERS = {"authorization": f"Bearer {SECRET}"}


@pytest.fixture(scope="session")
def service_url() -> Iterator[str]:
    with sandbox_process("self") as (url, _):
        yield url


@pytest.fixture
async def http(service_url: str) -> AsyncIterator[httpx.AsyncClient]:
    await (await connected(service_url)).aclose()
    async with httpx.AsyncClient(base_url=service_url, headers=HEADERS, timeout=30) as client:
        yield client


def as_verl_sends(code: str, stdin: str | None = None, **changes: Any) -> dict[str, Any]:
    """The body of verl's `call_sandbox_api`."""
    return {
        "compile_timeout": 10,
        "run_timeout": 10,
        "code": code,
        "stdin": stdin,
        "memory_limit_MB": 1024,
        "language": "python",
        "files": {},
        "fetch_files": [],
    } | changes


def as_open_r1_sends(code: str, **changes: Any) -> dict[str, Any]:
    """The body of Open-R1's `PistonClient.send_execute`."""
    return {
        "files": [{"name": "main.py", "content": code}],
        "run_timeout": 5000,
        "language": "python",
        "version": "*",
    } | changes


async def fusion(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/run_code", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def piston(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/api/v2/execute", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def needs(http: httpx.AsyncClient, language: str) -> None:
    found = (await http.get("/v1/languages")).json()["languages"][language]
    if not found["available"]:
        pytest.skip(f"{language}: {found['reason']}")
