"""`GET /v1/verdicts`, its export, and `GET /v1/costs`: to each caller what is its own."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from redis.asyncio import Redis

from plaudit.schemas.common import Lane
from plaudit.schemas.judge_verdict import MAX_VERDICTS, CostReport, Order, VerdictPage
from plaudit.service import caller_of, json_docs, json_response
from plaudit_judge.ledger.costs import known_callers
from plaudit_judge.ledger.finding import Question, find_page
from plaudit_judge.ledger.place import Place
from plaudit_judge.ledger.report import report_costs
from plaudit_judge.settings import JudgeSettings

_EXPORTED = 200
"""Verdicts in memory at a time."""
_JSONL = "application/jsonl"
RunId = Annotated[str | None, Query(min_length=1, max_length=128)]
Name = Annotated[str | None, Query(max_length=64)]
Max = Annotated[int, Query(ge=1, le=MAX_VERDICTS)]


async def visible_callers(redis: Redis, request: Request) -> list[str]:
    """Those whose data the request's own caller may see."""
    caller = caller_of(request)
    return await known_callers(redis) if caller is None else [caller]


def add_ledger_routes(app: FastAPI, settings: JudgeSettings, redis: Redis) -> None:
    visible = partial(visible_callers, redis)

    @app.get("/v1/verdicts", summary="Stored verdicts", **json_docs(None, VerdictPage))
    async def verdicts(
        request: Request,
        run_id: RunId = None,
        judge: Name = None,
        lane: Lane | None = None,
        verb: Name = None,
        order: Order = "oldest",
        after: Annotated[str | None, Query(max_length=128)] = None,
        max: Max = 100,
    ) -> Response:
        question = Question(run_id or "", await visible(request), judge, lane, verb, order)
        page = await find_page(redis, question, Place.parse(after) if after else None, max)
        following = str(page.next) if page.next else None
        return json_response(VerdictPage(verdicts=page.verdicts, next=following))

    @app.get("/v1/verdicts/export", summary="All stored verdicts of a run", **_jsonl_docs())
    async def export(request: Request, run_id: RunId = None) -> Response:
        lines = _lines(redis, Question(run_id or "", await visible(request)))
        return StreamingResponse(lines, media_type=_JSONL)

    @app.get("/v1/costs", summary="What judging cost", **json_docs(None, CostReport))
    async def costs(request: Request, run_id: RunId = None) -> Response:
        return json_response(await report_costs(redis, settings, run_id, await visible(request)))


async def _lines(redis: Redis, question: Question) -> AsyncIterator[str]:
    """Page by page, until it has caught up with those who write."""
    after: Place | None = None
    while True:
        page = await find_page(redis, question, after, _EXPORTED)
        yield "".join(verdict.model_dump_json() + "\n" for verdict in page.verdicts)
        if page.next is None:
            return
        after = page.next


def _jsonl_docs() -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    description = "A StoredVerdict in each line"
    return {
        "response_model": None,
        "responses": {200: {"description": description, "content": {_JSONL: text}}},
    }
