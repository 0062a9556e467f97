"""What the service chassis costs per request, beside bare starlette on the same uvicorn.

    python benchmarks/chassis.py [--requests 4000] [--rounds 3]

Each server is a process of its own; its CPU time is read from /proc. One row per server: requests
per second (one client process, 32 connections), CPU of the server per request, and the ratio of
that CPU to bare starlette's. The best of the rounds is shown; the rounds are interleaved, so that
noise is shared.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from fastapi import Request, Response
from starlette.applications import Starlette
from starlette.routing import Route

from plaudit.config import ServiceSettings
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest, ScoreResponse
from plaudit.service import create_app, json_docs, json_response, read_model, serve
from plaudit.testing import free_port

NUM_CONNECTIONS = 32
BODY_BYTES = 30_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def request_body() -> bytes:
    """A score request of about 30 KB: four groups of eight completions."""
    text = "x" * (BODY_BYTES // 32 - 60)
    groups = [
        RewardGroup(group_id=f"g{i}", prompt=[], completions=[Answer(text=text)] * 8)
        for i in range(4)
    ]
    request = ScoreRequest(groups=groups, rewards=[RewardSpec(name="accuracy")])
    return request.model_dump_json().encode()


async def answer_raw(request: Request) -> Response:
    return Response(b"%d" % len(await request.body()))


async def answer_model(request: Request) -> Response:
    await read_model(request, ScoreRequest)
    return json_response(ScoreResponse(groups=[]))


async def answer_parsed(body: ScoreRequest) -> ScoreResponse:
    return ScoreResponse(groups=[])


def serve_bare(app: Starlette, port: int) -> None:
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error"
    )


def run_starlette(port: int) -> None:
    app = Starlette(routes=[Route("/", answer_raw, methods=["POST"])])
    serve_bare(app, port)


def run_starlette_model(port: int) -> None:
    async def handler(request: Request) -> Response:
        ScoreRequest.model_validate_json(await request.body())
        return Response(ScoreResponse(groups=[]).model_dump_json())

    app = Starlette(routes=[Route("/", handler, methods=["POST"])])
    serve_bare(app, port)


def run_chassis(port: int, handler: Callable[..., Coroutine[Any, Any, Any]], docs: Any) -> None:
    settings = ServiceSettings(port=port, log_level="error")
    app = create_app("bench", settings)
    app.post("/", **docs)(handler)
    serve(app, settings)


SERVERS: dict[str, Callable[[int], None]] = {
    "starlette, raw body": run_starlette,
    "chassis, raw body": lambda port: run_chassis(port, answer_raw, json_docs()),
    "starlette, model": run_starlette_model,
    "chassis, read_model": lambda port: run_chassis(
        port, answer_model, json_docs(ScoreRequest, ScoreResponse)
    ),
    "chassis, body parameter": lambda port: run_chassis(port, answer_parsed, {}),
}
BASELINES = {
    "starlette, raw body": "starlette, raw body",
    "chassis, raw body": "starlette, raw body",
}


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def until_up(session: aiohttp.ClientSession, url: str) -> None:
    for _ in range(200):
        try:
            async with session.get(url):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
    raise SystemExit(f"{url} did not start")


async def load(name: str, num_requests: int, body: bytes) -> tuple[float, float]:
    """Requests per second and CPU milliseconds per request of one server."""
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", name, "--port", str(port)
    )
    url = f"http://127.0.0.1:{port}/"
    headers = {"content-type": "application/json"}
    try:
        async with aiohttp.ClientSession() as session:
            await until_up(session, url)

            async def send(count: int) -> None:
                for _ in range(count):
                    async with session.post(url, data=body, headers=headers) as response:
                        assert response.status == 200, await response.text()
                        await response.read()

            await send(200)
            cpu, started = cpu_s(server.pid), time.perf_counter()
            await asyncio.gather(
                *(send(num_requests // NUM_CONNECTIONS) for _ in range(NUM_CONNECTIONS))
            )
            wall = time.perf_counter() - started
            return num_requests / wall, (cpu_s(server.pid) - cpu) / num_requests * 1000
    finally:
        server.terminate()
        await server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    if options.serve:
        SERVERS[options.serve](options.port)
        return
    body = request_body()
    rows = {name: (0.0, float("inf")) for name in SERVERS}
    for _ in range(options.rounds):
        for name in SERVERS:
            rate, cpu = asyncio.run(load(name, options.requests, body))
            rows[name] = (max(rows[name][0], rate), min(rows[name][1], cpu))
    print(f"POST of {len(body)} bytes, {NUM_CONNECTIONS} connections, best of {options.rounds}")
    print(f"{'server':26}{'requests/s':>12}{'CPU ms/request':>16}{'ratio':>8}")
    for name, (rate, cpu) in rows.items():
        base = rows[BASELINES.get(name, "starlette, model")][1]
        print(f"{name:26}{rate:12.0f}{cpu:16.3f}{cpu / base:8.2f}")


if __name__ == "__main__":
    main()
