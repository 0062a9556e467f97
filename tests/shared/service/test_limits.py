import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from fastapi import FastAPI, Request

from plaudit.config import ServiceSettings
from plaudit.service import create_app, protocol
from plaudit.testing import running

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)

MAX_BODY = 4096


def make_app() -> FastAPI:
    settings = ServiceSettings(
        max_body_bytes=MAX_BODY, body_timeout_s=0.3, max_concurrent_requests=2
    )
    app = create_app("test", settings)
    app.state.bytes_read = 0

    @app.post("/raw")
    async def raw(request: Request) -> int:
        num_bytes = 0
        async for chunk in request.stream():
            num_bytes += len(chunk)
            app.state.bytes_read = num_bytes
        return num_bytes

    @app.post("/parsed")
    async def parsed(body: dict[str, str]) -> int:
        return len(body)

    @app.post("/unread")
    async def unread() -> str:
        return "never looked"

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.5)
        return "done"

    return app


@pytest.fixture
def app() -> FastAPI:
    return make_app()


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with running(app) as url:
        yield url


def chunks(total: int) -> Iterator[bytes]:
    for start in range(0, total, 1000):
        yield b"x" * min(1000, total - start)


def test_a_body_of_exactly_the_limit_is_read(url: str) -> None:
    assert post(f"{url}/raw", content=b"x" * MAX_BODY).json() == MAX_BODY
    assert post(f"{url}/raw", content=chunks(MAX_BODY)).json() == MAX_BODY


@pytest.mark.parametrize("path", ["/raw", "/parsed", "/unread"])
def test_a_declared_length_over_the_limit_is_413_before_reading(
    url: str, path: str, app: FastAPI
) -> None:
    headers = {"content-type": "application/json"}
    response = post(url + path, content=b"x" * (MAX_BODY + 1), headers=headers)
    assert response.status_code == 413
    assert f"max_body_bytes = {MAX_BODY}" in response.json()["detail"]
    assert response.headers["content-type"] == "application/problem+json"
    assert app.state.bytes_read == 0


@pytest.mark.parametrize("path", ["/raw", "/parsed"])
def test_a_chunked_body_over_the_limit_is_413_while_reading(
    url: str, path: str, app: FastAPI
) -> None:
    headers = {"content-type": "application/json"}
    response = post(url + path, content=chunks(MAX_BODY + 1), headers=headers)
    assert response.status_code == 413
    assert response.json()["retryable"] is False
    assert app.state.bytes_read <= MAX_BODY


def raw_request(url: str, text: bytes, timeout_s: float = 15.0) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=timeout_s) as connection:
        connection.sendall(text)
        received = b""
        while b"\r\n\r\n" not in received or b"}" not in received:
            data = connection.recv(65536)
            if not data:
                break
            received += data
        return received


def test_a_body_that_never_arrives_is_408(url: str) -> None:
    started = time.monotonic()
    answer = raw_request(
        url, b"POST /raw HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\nab"
    )
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_timeout_s = 0.3" in answer
    assert time.monotonic() - started < 10


def test_endless_headers_are_431_and_the_connection_closes(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5.0) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ")
        sent = 0
        received = b""
        try:
            while not received and sent < 64 * 2**20:
                connection.sendall(b"a" * 65536)
                sent += 65536
                connection.settimeout(0.02)
                try:
                    received = connection.recv(65536)
                except TimeoutError:
                    connection.settimeout(5.0)
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert sent < 2**20


def test_large_bodies_are_no_large_headers() -> None:
    app = create_app("test", ServiceSettings())

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    with running(app) as url, httpx.Client(verify=False) as client:
        for _ in range(3):
            assert client.post(f"{url}/raw", content=b"x" * 2_000_000).json() == 2_000_000


def test_an_old_connection_is_closed_so_that_its_client_finds_new_replicas(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with httpx.Client(verify=False) as client:
        assert "connection" not in client.get(f"{url}/livez").headers
        monkeypatch.setattr(protocol, "MAX_CONNECTION_AGE_S", 0.0)
        assert client.get(f"{url}/livez").headers["connection"] == "close"
        assert client.get(f"{url}/livez").status_code == 200


def test_too_many_requests_at_once_are_429_and_health_still_answers(url: str) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(get(f"{url}/slow").status_code))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    refused = get(f"{url}/slow")
    alive = get(f"{url}/livez")
    for thread in threads:
        thread.join()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert "max_concurrent_requests = 2" in refused.json()["detail"]
    assert alive.status_code == 200
    assert answers == [200, 200]
    assert get(f"{url}/slow").status_code == 200
