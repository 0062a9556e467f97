"""`POST /v1/jobs` and `GET /v1/jobs/{job_id}?wait=`: the asynchronous form of any verb."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, ValidationError

from plaudit.errors import NotFound, Rejected
from plaudit.schemas.job import JobAccepted, JobRequest, JobView
from plaudit.service.body import checked_key, json_docs, json_response, read_model
from plaudit.service.caller import caller_of, check_scope
from plaudit.service.problems import invalid_request

MAX_WAIT_S = 60.0
FIRST_POLL_S = 0.02
MAX_POLL_S = 0.5
UNFINISHED = ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobVerb:
    """How one verb's jobs are kept. `submit` with a known job id must change nothing."""

    submit: Callable[[dict[str, Any], str], Awaitable[None]]
    view: Callable[[str], Awaitable[JobView | None]]
    wait: Callable[[str, float], Awaitable[JobView | None]] | None = None
    """`view`, but returns as soon as the job is finished, or after that many seconds."""
    request_model: type[BaseModel] | None = None
    """Checked at submission, so that a wrong request is a 422 and never a failed job."""


def job_id_of(verb: str, request: Request) -> str:
    """The same caller's same Idempotency-Key names the same job; without one, each call a new one.

    `pairwise.KEY`, and `pairwise@external.KEY` for the named key `external`: a verb has no `@` and
    a name no `.`, so no choice of KEY makes one caller's id another's.
    """
    caller = caller_of(request)
    owned = verb if caller is None else f"{verb}@{caller}"
    return f"{owned}.{checked_key(request.headers) or uuid4().hex}"


def owner_of(job_id: str) -> str | None:
    """The named key whose job it is; None for a job of a plain key, or of a service without any."""
    return job_id.partition(".")[0].partition("@")[2] or None


def add_job_routes(app: FastAPI, verbs: Mapping[str, JobVerb]) -> None:
    app.state.job_verbs = frozenset(verbs)
    docs = json_docs(JobRequest, JobAccepted)
    docs["responses"] = {202: docs["responses"][200]}

    @app.post("/v1/jobs", status_code=202, tags=["jobs"], summary="Start a job", **docs)
    async def submit_job(request: Request) -> Response:
        body = await read_model(request, JobRequest)
        verb = find_verb(verbs, body.verb)
        check_scope(request, body.verb)
        check_request(verb, body.request)
        job_id = job_id_of(body.verb, request)
        await verb.submit(body.request, job_id)
        view = await verb.view(job_id)
        status = view.status if view else "queued"
        return json_response(JobAccepted(job_id=job_id, status=status), status=202)

    @app.get(
        "/v1/jobs/{job_id:path}", tags=["jobs"], summary="Look at a job", **json_docs(None, JobView)
    )
    async def view_job(
        request: Request, job_id: str, wait: float = Query(0.0, ge=0.0, le=MAX_WAIT_S)
    ) -> Response:
        verb = verb_of(verbs, job_id, request)
        view = await wait_for(verb, job_id, wait, app.state.draining) if verb else None
        if view is None:
            raise NotFound(
                f"There is no job {job_id[:256]!r}.", fix="results are kept for a limited time."
            )
        return json_response(view)


def verb_of(verbs: Mapping[str, JobVerb], job_id: str, request: Request) -> JobVerb | None:
    """None when there can be no such job, or it is not the caller's: a plain key sees all jobs."""
    name = job_id.partition(".")[0].partition("@")[0]
    if name not in verbs or caller_of(request) not in (None, owner_of(job_id)):
        return None
    check_scope(request, name)
    return verbs[name]


def find_verb(verbs: Mapping[str, JobVerb], name: str) -> JobVerb:
    if name not in verbs:
        raise Rejected(f"verb: {name[:80]!r} is not one of {', '.join(sorted(verbs))}.")
    return verbs[name]


def check_request(verb: JobVerb, request: dict[str, Any]) -> None:
    if verb.request_model is None:
        return
    try:
        verb.request_model.model_validate(request)
    except ValidationError as error:
        raise invalid_request(error) from None


async def wait_for(
    verb: JobVerb, job_id: str, wait_s: float, draining: asyncio.Event
) -> JobView | None:
    """The job when it is finished, or as it is after `wait_s`, or when the server shuts down."""
    view = await verb.view(job_id)
    if not wait_s or view is None or view.status not in UNFINISHED:
        return view
    finished = asyncio.ensure_future(verb.wait(job_id, wait_s) if verb.wait else poll(verb, job_id))
    stopped = asyncio.ensure_future(draining.wait())
    try:
        await asyncio.wait((finished, stopped), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        return finished.result() if finished.done() else await verb.view(job_id)
    finally:
        finished.cancel()
        stopped.cancel()


async def poll(verb: JobVerb, job_id: str) -> JobView | None:
    delay_s = FIRST_POLL_S
    while (view := await verb.view(job_id)) and view.status in UNFINISHED:
        await asyncio.sleep(delay_s)
        delay_s = min(2 * delay_s, MAX_POLL_S)
    return view
