"""`POST /v1/statistics` of given verdicts, `GET /v1/statistics` of stored ones."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from redis.asyncio import Redis

from plaudit.schemas.common import Lane
from plaudit.schemas.judge_statistics import StatisticsRequest, StatisticsResponse
from plaudit.service import json_docs, json_response, read_model
from plaudit_judge.ledger.finding import Question
from plaudit_judge.ledger.routes import Name, RunId, visible_callers
from plaudit_judge.measuring import Measuring


def add_statistics_routes(app: FastAPI, measuring: Measuring, redis: Redis) -> None:
    @app.post(
        "/v1/statistics",
        summary="What verdicts say about their judge",
        **json_docs(StatisticsRequest, StatisticsResponse),
    )
    async def statistics(request: Request) -> Response:
        body = await read_model(request, StatisticsRequest)
        return json_response(await measuring.statistics(body))

    @app.get(
        "/v1/statistics",
        summary="What stored verdicts say about a judge",
        **json_docs(None, StatisticsResponse),
    )
    async def stored_statistics(
        request: Request,
        judge: Annotated[str, Query(min_length=1, max_length=64)],
        run_id: RunId = None,
        lane: Lane | None = None,
        verb: Name = None,
    ) -> Response:
        callers = await visible_callers(redis, request)
        question = Question(run_id or "", callers, judge, lane, verb, order="newest")
        return json_response(await measuring.stored_statistics(question))
