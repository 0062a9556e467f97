"""The reward API: it queues, the workers score."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response

from plaudit.queue import queue_metrics_text
from plaudit.schemas.reward import RewardList, ScoreRequest, ScoreResponse
from plaudit.service import (
    JobVerb,
    add_job_routes,
    caller_deadline_s,
    create_app,
    idempotency_key,
    json_docs,
    json_response,
    read_model,
)
from plaudit.service.redis import connect, redis_check
from plaudit_reward.desk import Desk
from plaudit_reward.models.discriminator.freezes import Freezes
from plaudit_reward.models.discriminator.serve import add_discriminator_routes
from plaudit_reward.openrlhf.serve import add_openrlhf_route
from plaudit_reward.settings import RewardSettings


def build_app(settings: RewardSettings) -> FastAPI:
    redis = connect(settings.redis_url)
    desk = Desk(settings, redis)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await desk.aclose()
            await redis.aclose()

    app = create_app(
        "reward",
        settings,
        lifespan=lifespan,
        checks={"redis": redis_check(redis)},
        lists=("rewards",),
        more_metrics=partial(queue_metrics_text, *desk.queues.values()),
    )
    _add_routes(app, desk, settings)
    add_openrlhf_route(app, desk, settings)
    add_discriminator_routes(app, desk.queues["model"], Freezes(redis), settings)
    add_job_routes(app, {"score": _job_verb(desk)})
    return app


def _add_routes(app: FastAPI, desk: Desk, settings: RewardSettings) -> None:
    @app.post("/v1/score", summary="Score groups", **json_docs(ScoreRequest, ScoreResponse))
    async def score(request: Request) -> Response:
        deadline_s = caller_deadline_s(request, settings.score_timeout_s, settings.max_deadline_s)
        asked = await read_model(request, ScoreRequest)
        key = idempotency_key(request)
        return json_response(await desk.score(asked, await request.body(), key, deadline_s))

    @app.get("/v1/rewards", summary="All rewards", **json_docs(None, RewardList))
    async def rewards() -> Response:
        return json_response(RewardList(rewards=desk.rewards()))


def _job_verb(desk: Desk) -> JobVerb:
    async def submit(request: dict[str, Any], job_id: str) -> None:
        await desk.submit(ScoreRequest.model_validate(request), job_id)

    return JobVerb(submit=submit, view=desk.view, wait=desk.wait, request_model=ScoreRequest)
