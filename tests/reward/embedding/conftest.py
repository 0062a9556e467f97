"""A local server that speaks POST /embeddings."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

DIMENSIONS = 4


class EmbeddingsServer:
    """Embeds a text as its length, its first and last character, and 1. `answer` may differ."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Callable[[dict[str, Any]], web.Response] = self.plain

    def plain(self, body: dict[str, Any]) -> web.Response:
        """Last text first, as the format allows: `index` says which is which."""
        data = [
            {"object": "embedding", "index": index, "embedding": embedding_of(text)}
            for index, text in enumerate(body["input"])
        ]
        return web.json_response({"object": "list", "data": data[::-1], "usage": {}})

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        return self.answer(self.bodies[-1])


def embedding_of(text: str) -> list[float]:
    return [float(len(text)), float(ord(text[0])), float(ord(text[-1])), 1.0]


@asynccontextmanager
async def serving_embeddings(
    server: EmbeddingsServer, routes: Sequence[web.RouteDef] = ()
) -> AsyncIterator[None]:
    app = web.Application(client_max_size=2**26)
    app.add_routes([web.post("/v1/embeddings", server.handle), *routes])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/v1"
    yield
    await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingsServer]:
    found = EmbeddingsServer()
    async with serving_embeddings(found):
        yield found
