"""The HTTP API: it queues, the workers judge."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis
from redis.exceptions import RedisError

from plaudit.errors import Unavailable
from plaudit.queue import queue_metrics_text
from plaudit.schemas.judge import (
    JudgeList,
    PairwiseRequest,
    PairwiseResponse,
    RubricList,
    TournamentRequest,
    TournamentResponse,
)
from plaudit.schemas.judge_reward import JudgeRewardRequest, JudgeRewardResponse
from plaudit.service import (
    JobVerb,
    add_job_routes,
    caller_deadline_s,
    create_app,
    job_id_of,
    json_docs,
    json_response,
    read_model,
)
from plaudit.service.redis import connect
from plaudit_judge.desk import Desk
from plaudit_judge.settings import JudgeSettings

_MARGIN_S = 5.0
"""The worker's own failure should arrive before the API gives up waiting."""


def make_app(settings: JudgeSettings) -> FastAPI:
    """Raises ConfigError: a rubric file is wrong."""
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
        "judge",
        settings,
        lifespan=lifespan,
        checks={"redis": redis_check(redis)},
        more_metrics=partial(queue_metrics_text, *desk.queues.values()),
    )
    _add_verbs(app, desk, settings.deadline_s + _MARGIN_S)
    _add_lists(app, desk)
    add_job_routes(
        app,
        {
            "pairwise": _job_verb(desk, PairwiseRequest),
            "tournament": _job_verb(desk, TournamentRequest),
            "reward": _job_verb(desk, JudgeRewardRequest),
        },
    )
    return app


def redis_check(redis: Redis) -> Any:
    async def check() -> None:
        try:
            await redis.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}.") from error

    return check


def _add_verbs(app: FastAPI, desk: Desk, max_wait_s: float) -> None:
    def wait_s(request: Request) -> float:
        return caller_deadline_s(request, max_wait_s, max_wait_s)

    @app.post(
        "/v1/pairwise",
        summary="Compare two answers",
        **json_docs(PairwiseRequest, PairwiseResponse),
    )
    async def pairwise(request: Request) -> Response:
        body = await read_model(request, PairwiseRequest)
        return _json(await desk.answer(body, job_id_of("pairwise", request), wait_s(request)))

    @app.post(
        "/v1/tournament",
        summary="Rank the answers of a group",
        **json_docs(TournamentRequest, TournamentResponse),
    )
    async def tournament(request: Request) -> Response:
        body = await read_model(request, TournamentRequest)
        return _json(await desk.answer(body, job_id_of("tournament", request), wait_s(request)))

    @app.post(
        "/v1/reward",
        summary="A reward for each answer to one prompt",
        **json_docs(JudgeRewardRequest, JudgeRewardResponse),
    )
    async def reward(request: Request) -> Response:
        body = await read_model(request, JudgeRewardRequest)
        return _json(await desk.answer(body, job_id_of("reward", request), wait_s(request)))


def _add_lists(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/judges", summary="The judges", **json_docs(None, JudgeList))
    async def judges() -> Response:
        return json_response(JudgeList(judges=await desk.judges()))

    @app.get("/v1/rubrics", summary="The rubrics", **json_docs(None, RubricList))
    async def rubrics() -> Response:
        return json_response(RubricList(rubrics=desk.rubrics()))


def _job_verb(
    desk: Desk,
    model: type[PairwiseRequest] | type[TournamentRequest] | type[JudgeRewardRequest],
) -> JobVerb:
    async def submit(request: dict[str, Any], job_id: str) -> None:
        await desk.submit(model.model_validate(request), job_id)

    return JobVerb(submit=submit, view=desk.view, wait=desk.wait, request_model=model)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
