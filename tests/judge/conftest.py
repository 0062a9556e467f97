"""A local server that speaks the OpenAI chat wire format, and the service as real processes."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from plaudit.testing import free_port, redis_server
from plaudit_judge.calls import Calls
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.origin import Origin
from plaudit_judge.pairwise import Bench
from plaudit_judge.rubric_files import load_rubrics

Behaviour = Callable[[dict[str, Any]], Awaitable[web.StreamResponse] | web.StreamResponse]
START_TIMEOUT_S = 60.0


def completion(text: str | None, **extra: object) -> web.Response:
    """A chat completion as vLLM and OpenAI send it."""
    message: dict[str, object] = {"role": "assistant", "content": text, "tool_calls": []}
    return web.json_response(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24},
            **extra,
        }
    )


def error(status: int, message: str = "broken", **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response(
        {"error": {"message": message, "code": status}}, status=status, headers=named
    )


def shown(body: dict[str, Any]) -> tuple[str, str]:
    """The two answers in a prompt of the rubric `demo`, in the order shown."""
    match = re.fullmatch(r"Judge: .*?\nA: (.*)\nB: (.*)", body["messages"][-1]["content"], re.S)
    assert match is not None, body
    return match[1], match[2]


def larger_number_wins(body: dict[str, Any]) -> web.Response:
    first, second = shown(body)
    return completion(f"Winner: response {'A' if float(first) > float(second) else 'B'}")


def policy(*versions: int | None, run_id: str = "run7") -> dict[str, Any]:
    """As the rollout API says which versions its engines serve."""
    replicas = [
        {"replica_id": f"r{i}", "version": v, "state": "serving", "updated_at": 1.0}
        for i, v in enumerate(versions)
    ]
    announced = {"run_id": run_id, "version": 3, "path": "/p", "manifest_sha256": "0" * 64}
    return {"announced": announced, "replicas": replicas}


class ChatServer:
    """Answers as `behave` says. Also a rollout API: GET /v1/policy answers `policy`."""

    def __init__(self) -> None:
        self.behave: Behaviour = larger_number_wins
        self.delay_s = 0.0
        self.models = ["policy-model"]
        self.policy: dict[str, Any] | None = None
        self.num_policy_asked = 0
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.num_running = self.max_running = 0
        self.url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def reset(self) -> None:
        self.behave, self.delay_s, self.policy = larger_number_wins, 0.0, None
        self.models = ["policy-model"]
        self.asked.clear()
        self.headers.clear()
        self.max_running = self.num_policy_asked = 0

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop_answering())
        self._loop.close()

    async def _stop_answering(self) -> None:
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_get("/v1/policy", self._show_policy)
        # A caller that hangs up ends its call, as in vLLM.
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        self.num_running += 1
        self.max_running = max(self.max_running, self.num_running)
        try:
            await asyncio.sleep(self.delay_s)
            if body["model"] not in self.models:
                return error(404, f"The model `{body['model']}` does not exist.")
            answer = self.behave(body)
            return answer if isinstance(answer, web.StreamResponse) else await answer
        finally:
            self.num_running -= 1

    async def _list_models(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]}
        )

    async def _show_policy(self, request: web.Request) -> web.Response:
        self.num_policy_asked += 1
        return web.json_response(self.policy) if self.policy else error(503)


@pytest.fixture(scope="module")
def _chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def chat(_chat_server: ChatServer) -> ChatServer:
    _chat_server.reset()
    return _chat_server


@pytest.fixture
async def bench(chat: ChatServer) -> AsyncIterator[Bench]:
    """A judge behind the chat server, the rubric `demo`, and a minute's time."""
    spec = OpenAISpec(base_url=chat.base_url, model="policy-model", timeout_s=30.0)
    judge = OpenAIJudge("local", spec, None)
    yield Bench(
        calls=Calls(judge, max_concurrency=64),
        rubric=load_rubrics()["demo"],
        origin=Origin("pairwise"),
        deadline_s=time.monotonic() + 60.0,
    )
    await judge.aclose()


@contextmanager
def second_chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Processes:
    """`plaudit-judge` as it is run in production, one process per part."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = os.environ | env
        self.url = f"http://127.0.0.1:{env['PLAUDIT_JUDGE_PORT']}"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """The last API that was started is `api`."""
        process = subprocess.Popen(
            [sys.executable, "-m", "plaudit_judge.cli", *arguments], env=self.env | env
        )
        self._running.append(process)
        if arguments == ("api",):
            self.api = process
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                assert self.api.poll() is None, "the API ended instead of becoming ready"
                time.sleep(0.05)
        raise AssertionError("the API did not become ready")

    def stop(self) -> list[int]:
        """SIGTERM to all; their exit codes."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in self._running]
        self._running.clear()
        return codes


@contextmanager
def judge_service(
    redis_url: str, chat: ChatServer, *, workers: Sequence[str] = ("self",), **env: str
) -> Iterator[Processes]:
    """The API, ready, and a worker for each judge in `workers`."""
    processes = Processes(
        {
            "PLAUDIT_REDIS_URL": redis_url,
            "PLAUDIT_ROLLOUT_URL": chat.url,
            "PLAUDIT_JUDGE_PORT": str(free_port()),
            "PLAUDIT_JUDGE_ENGINE_URLS": json.dumps([chat.url]),
            "PLAUDIT_JUDGE_LEASE_S": "1",
            "PLAUDIT_JUDGE_DEADLINE_S": "30",
            "PLAUDIT_JUDGE_LOG_LEVEL": "error",
            **env,
        }
    )
    try:
        processes.start("api")
        for name in workers:
            processes.start("worker", "--judge", name)
        processes.wait_until_ready()
        yield processes
    finally:
        processes.stop()


@pytest.fixture(scope="module")
def own_redis() -> Iterator[str]:
    """Not the session's: services of this module keep their queues through all its tests."""
    with redis_server() as url:
        yield url
