"""The service as it runs: the API on a socket, its workers, a real Redis, an endpoint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from plaudit.client import ClientOptions, JudgeClient
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest
from plaudit.schemas.judge_verdict import CostReport, StoredVerdict
from plaudit.testing import running
from plaudit_judge.app import make_app
from plaudit_judge.settings import JudgeSettings
from plaudit_judge.worker import work

from ..conftest import ChatServer

PROMPT = [Message(role="user", content="Count.")]
PRICES = {
    "policy-model": {"input_usd_per_mtok": 10_000.0, "output_usd_per_mtok": 50_000.0},
    "other-model": {"input_usd_per_mtok": 1_000.0, "output_usd_per_mtok": 0.0},
}
CALL_USD = 20 * 0.01 + 4 * 0.05
"""Of `local`, by the tokens that the endpoint says it read and wrote."""
PLAIN = "plain-key-of-ours"
ONCE = ClientOptions(max_attempts=1, timeout_s=20.0)


class Service:
    def __init__(self, settings: JudgeSettings, url: str, workers: asyncio.TaskGroup) -> None:
        self.url = url
        self._settings = settings
        self._workers = workers
        self._stop = asyncio.Event()

    def start_worker(self, judge: str) -> None:
        self._workers.create_task(work(self._settings, judge, self._stop))

    def stop(self) -> None:
        self._stop.set()

    def client(self, key: str | None = None) -> JudgeClient:
        secret = SecretStr(key) if key else None
        return JudgeClient(self.url, ONCE.model_copy(update={"api_key": secret}))


@asynccontextmanager
async def serving(
    redis_url: str, chat: ChatServer, *, workers: bool = True, **fields: Any
) -> AsyncIterator[Service]:
    """The API in a thread, and here a worker of each judge but `self`."""
    chat.models = ["policy-model", "other-model"]
    endpoint = {"kind": "openai", "base_url": chat.base_url, "structured": "off"}
    judges = {
        "local": endpoint | {"model": "policy-model"},
        "other": endpoint | {"model": "other-model"},
        "rule": {"kind": "rule", "rule": "longer"},
        "panel": {"kind": "jury", "judges": ["local", "other", "rule"]},
    }
    defaults = {"port": 0, "redis_url": redis_url, "judges": judges, "prices": PRICES}
    settings = JudgeSettings.model_validate(defaults | fields)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(running(make_app(settings), settings))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        service = Service(settings, url, tasks)
        stack.callback(service.stop)
        for name in judges if workers else ():
            service.start_worker(name)
        yield service


def pair(judge: str = "local", run_id: str | None = "r", **fields: Any) -> PairwiseRequest:
    return PairwiseRequest(
        prompt=PROMPT,
        **({"a": "9", "b": "2", "rubric": "demo", "judge": judge, "run_id": run_id} | fields),
    )


async def spent(client: JudgeClient, run_id: str | None, usd: float) -> CostReport:
    """Once that much has been counted."""
    async with asyncio.timeout(10):
        while (report := await client.costs(run_id)).cost_usd < usd - 1e-9:
            await asyncio.sleep(0.01)
    return report


async def settled(client: JudgeClient, run_id: str | None) -> CostReport:
    """Once nothing is held any more."""
    async with asyncio.timeout(10):
        while any(budget.held_usd for budget in (await client.costs(run_id)).budgets):
            await asyncio.sleep(0.01)
    return await client.costs(run_id)


async def stored(client: JudgeClient, run_id: str | None, number: int) -> list[StoredVerdict]:
    """Once there are so many."""
    async with asyncio.timeout(10):
        while len(found := [v async for v in client.export_verdicts(run_id)]) < number:
            await asyncio.sleep(0.01)
    return found


def named(directory: Path, **limits: dict[str, Any]) -> dict[str, Any]:
    """Settings with a plain key, and a key for each of `limits`."""
    for name in limits:
        (directory / name).write_text(f"the-key-of-{name}")
    keys = {name: {"api_key_file": str(directory / name)} | limit for name, limit in limits.items()}
    return {"api_keys": [PLAIN], "keys": keys}
