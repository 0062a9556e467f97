"""The HTTP API: prompts go onto the queue, finished groups come off the board."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from plaudit.queue import WorkQueue, queue_metrics_text
from plaudit.schemas.policy import PolicyAnnouncement, PolicyState
from plaudit.schemas.rollout import (
    FinishedRollouts,
    RolloutAccepted,
    RolloutAck,
    RolloutAcked,
    RolloutRequest,
)
from plaudit.service import create_app, json_docs, json_response, read_model
from plaudit_rollout.board import Board
from plaudit_rollout.desk import Desk
from plaudit_rollout.policy.board import PolicyBoard
from plaudit_rollout.redis_client import connect, redis_errors
from plaudit_rollout.settings import QUEUE_NAME, RolloutSettings

MAX_WAIT_S = 60.0
MAX_GROUPS = 1024
_FIRST_POLL_S = 0.01
_MAX_POLL_S = 0.1

RunId = Annotated[str, Query(min_length=1, max_length=128)]
Max = Annotated[int, Query(ge=1, le=MAX_GROUPS)]
Wait = Annotated[float, Query(ge=0.0, le=MAX_WAIT_S)]
Consumer = Annotated[str, Query(max_length=64)]


def make_app(settings: RolloutSettings) -> FastAPI:
    redis = connect(settings.redis_url)
    queue = WorkQueue(redis, QUEUE_NAME, settings.queue_options())
    board = Board(redis, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await queue.aclose()
            await redis.aclose()

    async def redis_answers() -> None:
        with redis_errors():
            await redis.ping()

    app = create_app(
        "rollout",
        settings,
        lifespan=lifespan,
        checks={"redis": redis_answers},
        more_metrics=partial(queue_metrics_text, queue),
    )
    _add_rollouts(app, Desk(queue, board, time.time), board)
    _add_policy(app, PolicyBoard(redis, settings.replica_ttl_s))
    return app


def _add_rollouts(app: FastAPI, desk: Desk, board: Board) -> None:
    docs = json_docs(RolloutRequest, RolloutAccepted)
    docs["responses"] = {202: docs["responses"][200]}

    @app.post("/v1/rollouts", status_code=202, summary="Queue groups to generate", **docs)
    async def submit(request: Request) -> Response:
        body = await read_model(request, RolloutRequest)
        return json_response(await desk.submit(body), status=202)

    @app.get("/v1/rollouts", summary="Lease finished groups", **json_docs(None, FinishedRollouts))
    async def finished(
        run_id: RunId, max: Max = 64, wait: Wait = 0.0, consumer: Consumer = ""
    ) -> Response:
        groups = await _leased(board, run_id, max, wait, consumer, app.state.draining)
        return Response(b'{"groups":[' + b",".join(groups) + b"]}", media_type="application/json")

    @app.post(
        "/v1/rollouts/ack",
        summary="Settle leased groups",
        **json_docs(RolloutAck, RolloutAcked),
    )
    async def ack(request: Request) -> Response:
        return json_response(await desk.ack(await read_model(request, RolloutAck)))


def _add_policy(app: FastAPI, policy: PolicyBoard) -> None:
    @app.put(
        "/v1/policy", summary="Announce a version", **json_docs(PolicyAnnouncement, PolicyState)
    )
    async def announce(request: Request) -> Response:
        await policy.announce(await read_model(request, PolicyAnnouncement))
        return json_response(await policy.state())

    @app.get("/v1/policy", summary="Who serves what", **json_docs(None, PolicyState))
    async def state() -> Response:
        return json_response(await policy.state())


async def _leased(
    board: Board,
    run_id: str,
    max_groups: int,
    wait_s: float,
    consumer: str,
    draining: asyncio.Event,
) -> list[bytes]:
    """As soon as there are any; [] after `wait_s`, or when the server shuts down."""
    deadline = time.monotonic() + wait_s
    pause_s = _FIRST_POLL_S
    while True:
        groups = await board.lease(run_id, max_groups, consumer)
        left_s = deadline - time.monotonic()
        if groups or left_s <= 0 or draining.is_set():
            return groups
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, _MAX_POLL_S)
