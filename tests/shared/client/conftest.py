import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest


class RawServer:
    """Answers each request with the next scripted bytes; the last one is repeated.

    None closes the connection without an answer; `close_after` closes it after each answer.
    """

    def __init__(self, script: list[bytes | None], close_after: bool) -> None:
        self.script = script
        self.close_after = close_after
        self.requests: list[bytes] = []
        self.num_connections = 0
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.script[min(len(self.requests), len(self.script)) - 1]
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if self.close_after:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


Scripted = Callable[..., AbstractAsyncContextManager[RawServer]]


@asynccontextmanager
async def serve_script(
    *script: bytes | None, close_after: bool = False
) -> AsyncIterator[RawServer]:
    raw = RawServer(list(script), close_after)
    server = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()


@pytest.fixture
def scripted() -> Scripted:
    return serve_script
