"""The reward API: it queues, the workers score."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.reward import RewardList, ScoreRequest, ScoreResponse
from plaudit.service import (
    JobVerb,
    add_job_routes,
    create_app,
    idempotency_key,
    json_docs,
    json_response,
    read_model,
)
from plaudit_reward.desk import Desk
from plaudit_reward.settings import RewardSettings

DEADLINE_HEADER = "x-deadline-s"


def build_app(settings: RewardSettings) -> FastAPI:
    redis: Redis = Redis.from_url(settings.redis_url)
    desk = Desk(settings, redis)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await desk.aclose()
            await redis.aclose()

    async def check_redis() -> None:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}.") from error

    app = create_app("reward", settings, lifespan=lifespan, checks={"redis": check_redis})
    _add_routes(app, desk, settings)
    add_job_routes(app, {"score": _job_verb(desk)})
    return app


def _add_routes(app: FastAPI, desk: Desk, settings: RewardSettings) -> None:
    @app.post("/v1/score", summary="Score groups", **json_docs(ScoreRequest, ScoreResponse))
    async def score(request: Request) -> Response:
        deadline_s = _deadline_s(request, settings)
        asked = await read_model(request, ScoreRequest)
        key = idempotency_key(request)
        return json_response(await desk.score(asked, await request.body(), key, deadline_s))

    @app.get("/v1/rewards", summary="All rewards", **json_docs(None, RewardList))
    async def rewards() -> Response:
        return json_response(RewardList(rewards=desk.rewards()))


def _deadline_s(request: Request, settings: RewardSettings) -> float:
    """Seconds to wait for the pools. Raises Rejected for a header that is no such number."""
    text = request.headers.get(DEADLINE_HEADER)
    if text is None:
        return settings.score_timeout_s
    try:
        deadline_s = float(text)
    except ValueError:
        deadline_s = -1.0
    if not 0.0 < deadline_s <= settings.max_deadline_s:
        raise Rejected(
            f"X-Deadline-S: {text[:40]!r} is no number of seconds above 0 "
            f"and up to {settings.max_deadline_s:g} (max_deadline_s)."
        )
    return deadline_s


def _job_verb(desk: Desk) -> JobVerb:
    async def submit(request: dict[str, Any], job_id: str) -> None:
        await desk.submit(ScoreRequest.model_validate(request), job_id)

    return JobVerb(submit=submit, view=desk.view, wait=desk.wait, request_model=ScoreRequest)
