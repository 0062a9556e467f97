"""A local server whose every answer a test scripts: the wire of Anthropic, NVIDIA, anyone."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Script = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@dataclass
class WireServer:
    """Answers POST by the scripts in turn; the last one stays."""

    path: str
    scripts: list[Script] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def post(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return await script(request, body)

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [{"id": m} for m in self.models]})


@asynccontextmanager
async def wire_server(
    path: str, *scripts: Script, models: tuple[str, ...] = ()
) -> AsyncIterator[WireServer]:
    server = WireServer(path, list(scripts), list(models))
    app = web.Application()
    app.router.add_post(path, server.post)
    app.router.add_get("/v1/models", server.list_models)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def answer(body: Any, status: int = 200, **headers: str) -> Script:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def script(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=named)

    return script


def truncated(body: Any) -> Script:
    async def script(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        return web.Response(text=json.dumps(body)[:60], content_type="application/json")

    return script


def slow_stream(body: Any, pause_s: float) -> Script:
    """A byte at a time, so that no single read ever times out."""

    async def script(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        for byte in json.dumps(body).encode():
            await response.write(bytes([byte]))
            await asyncio.sleep(pause_s)
        return response

    return script


async def dropped(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError
