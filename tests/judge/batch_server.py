"""A local server that speaks Anthropic's Message Batches API."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""The result of one request, by its params."""
_TIME = "2026-01-02T03:04:05.000006Z"


def succeeded(text: str) -> dict[str, Any]:
    usage = {"input_tokens": 20, "output_tokens": 4}
    return {
        "type": "succeeded",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": usage,
        },
    }  # fmt: skip


def errored(kind: str) -> dict[str, Any]:
    error = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": None}
    return {"type": "errored", "error": error}


def first_wins(params: dict[str, Any]) -> dict[str, Any]:
    return succeeded("Winner: response A")


@dataclass
class BatchServer:
    """A batch ends once it was polled `polls_to_end` times, or is canceled."""

    answer: Answer = first_wins
    polls_to_end: int = 1
    refusals: list[web.Response] = field(default_factory=list)
    """What the next calls of create are answered."""
    junk: str = ""
    """Comes before the results."""
    batches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    num_polls: dict[str, int] = field(default_factory=dict)
    canceled: set[str] = field(default_factory=set)
    url: str = ""

    @property
    def sizes(self) -> list[int]:
        return [len(requests) for requests in self.batches.values()]

    async def create(self, request: web.Request) -> web.Response:
        requests = (await request.json())["requests"]
        if self.refusals:
            return self.refusals.pop(0)
        ids = [one["custom_id"] for one in requests]
        assert len(set(ids)) == len(ids)
        assert all(0 < len(one) <= 64 for one in ids)
        batch = f"msgbatch_{len(self.batches)}"
        self.batches[batch], self.num_polls[batch] = requests, 0
        return web.json_response(self.state(batch))

    async def retrieve(self, request: web.Request) -> web.Response:
        batch = request.match_info["batch"]
        if batch not in self.batches:
            return problem(404, "not_found_error")
        self.num_polls[batch] += 1
        return web.json_response(self.state(batch))

    async def results(self, request: web.Request) -> web.StreamResponse:
        """In another order than they were asked in."""
        batch = request.match_info["batch"]
        response = web.StreamResponse(headers={"content-type": "application/x-jsonl"})
        await response.prepare(request)
        await response.write(self.junk.encode())
        for one in reversed(self.batches[batch]):
            canceled = batch in self.canceled
            result = {"type": "canceled"} if canceled else self.answer(one["params"])
            line = json.dumps({"custom_id": one["custom_id"], "result": result})
            await response.write(f"{line}\n".encode())
        return response

    async def cancel(self, request: web.Request) -> web.Response:
        batch = request.match_info["batch"]
        self.canceled.add(batch)
        return web.json_response(self.state(batch) | {"cancel_initiated_at": _TIME})

    def state(self, batch: str) -> dict[str, Any]:
        ended = self.num_polls[batch] >= self.polls_to_end or batch in self.canceled
        size = len(self.batches[batch])
        counts = dict.fromkeys(("canceled", "errored", "expired"), 0)
        return {
            "id": batch, "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts | {
                "processing": 0 if ended else size, "succeeded": size if ended else 0
            },
            "created_at": _TIME, "expires_at": _TIME, "ended_at": _TIME if ended else None,
            "archived_at": None, "cancel_initiated_at": None,
            "results_url": f"{self.url}/v1/messages/batches/{batch}/results" if ended else None,
        }  # fmt: skip


def problem(status: int, kind: str, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"type": "error", "error": {"type": kind, "message": "no"}}
    return web.json_response(body, status=status, headers=named)


@asynccontextmanager
async def batch_server() -> AsyncIterator[BatchServer]:
    server = BatchServer()
    app = web.Application()
    path = "/v1/messages/batches"
    app.router.add_post(path, server.create)
    app.router.add_get(path + "/{batch}", server.retrieve)
    app.router.add_get(path + "/{batch}/results", server.results)
    app.router.add_post(path + "/{batch}/cancel", server.cancel)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not condition():
            await asyncio.sleep(0.01)
