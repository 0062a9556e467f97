"""The HTTP API: it queues, the workers judge."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response

from plaudit.queue import queue_metrics_text
from plaudit.schemas.judge import JudgeList, RubricList
from plaudit.schemas.judge_calibrate import CalibrateRequest
from plaudit.service import (
    JobVerb,
    add_job_routes,
    caller_deadline_s,
    caller_of,
    create_app,
    job_id_of,
    json_docs,
    json_response,
    owner_of,
    read_model,
)
from plaudit.service.redis import connect, redis_check
from plaudit_judge.desk import Desk
from plaudit_judge.jobs import VERBS, Verb
from plaudit_judge.ledger.budget_metrics import budget_metrics_text
from plaudit_judge.ledger.routes import add_ledger_routes
from plaudit_judge.measuring import Measuring
from plaudit_judge.settings import JudgeSettings
from plaudit_judge.statistics.routes import add_statistics_routes

_MARGIN_S = 5.0
"""The worker's own failure should arrive before the API gives up waiting."""


def make_app(settings: JudgeSettings) -> FastAPI:
    """Raises ConfigError: a rubric file is wrong, a named key is missing."""
    redis = connect(settings.redis_url)
    desk = Desk(settings, redis)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await desk.aclose()
            await redis.aclose()

    async def more_metrics() -> bytes:
        budgets = await budget_metrics_text(settings, redis)
        return await queue_metrics_text(*desk.queues.values()) + budgets

    app = create_app(
        "judge",
        settings,
        lifespan=lifespan,
        checks={"redis": redis_check(redis)},
        lists=("judges", "rubrics"),
        more_metrics=more_metrics,
    )
    measuring = Measuring(redis)
    for verb in VERBS:
        _add_verb(app, desk, measuring, verb, settings.deadline_s + _MARGIN_S)
    add_statistics_routes(app, measuring, redis)
    _add_lists(app, desk)
    add_ledger_routes(app, settings, redis)
    add_job_routes(app, {verb.name: _job_verb(desk, verb) for verb in VERBS})
    return app


def _add_verb(
    app: FastAPI, desk: Desk, measuring: Measuring, verb: Verb, max_wait_s: float
) -> None:
    @app.post(
        f"/v1/{verb.name}",
        name=verb.name,
        summary=verb.summary,
        **json_docs(verb.request, verb.response),
    )
    async def answer(request: Request) -> Response:
        body = await read_model(request, verb.request)
        if isinstance(body, CalibrateRequest) and not body.asks():
            return json_response(await measuring.calibration(body))
        wait_s = caller_deadline_s(request, max_wait_s, max_wait_s)
        answered = await desk.answer(
            body, job_id_of(verb.name, request), wait_s, caller_of(request)
        )
        return Response(answered, media_type="application/json")


def _add_lists(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/judges", summary="The judges", **json_docs(None, JudgeList))
    async def judges() -> Response:
        return json_response(JudgeList(judges=await desk.judges()))

    @app.get("/v1/rubrics", summary="The rubrics", **json_docs(None, RubricList))
    async def rubrics() -> Response:
        return json_response(RubricList(rubrics=desk.rubrics()))


def _job_verb(desk: Desk, verb: Verb) -> JobVerb:
    async def submit(request: dict[str, Any], job_id: str) -> None:
        await desk.submit(verb.request.model_validate(request), job_id, owner_of(job_id))

    return JobVerb(submit=submit, view=desk.view, wait=desk.wait, request_model=verb.request)
