"""Errors as RFC 9457 problem documents."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException

from plaudit.errors import PlauditError, Unavailable
from plaudit.schemas.problem import PROBLEM_JSON, FieldProblem, Problem, problem_type
from plaudit.telemetry.logging import get_logger
from plaudit.telemetry.redact import redact_text
from plaudit.telemetry.trace import current_request_id

MAX_DETAIL_CHARS = 2000
MAX_FIELD_PROBLEMS = 20
DEFAULT_RETRY_AFTER_S = 1.0

log = get_logger(__name__)


class InvalidRequest(PlauditError):
    """422 with one entry per field. `errors` is what pydantic reports."""

    status = 422

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.fields = [field_problem(item) for item in errors[:MAX_FIELD_PROBLEMS]]
        more = len(errors) - len(self.fields)
        text = "; ".join(f"{item.field}: {item.message}" for item in self.fields)
        super().__init__(text + (f"; and {more} more" if more > 0 else ""))


def field_problem(item: Mapping[str, Any]) -> FieldProblem:
    loc = [str(part) for part in item["loc"]]
    if len(loc) > 1 and loc[0] in ("body", "query", "path", "header"):
        loc = loc[1:]
    message = str(item["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=".".join(loc)[:200] or "body", message=message[:300])


def invalid_request(error: ValidationError) -> InvalidRequest:
    return InvalidRequest(
        error.errors(include_url=False, include_context=False, include_input=False)
    )


def problem_of(error: PlauditError) -> Problem:
    """Every text is bounded and free of secrets."""
    name = "Rejected" if isinstance(error, InvalidRequest) else public_name(type(error))
    return Problem(
        type=problem_type(name),
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=redact_text(error.message[:MAX_DETAIL_CHARS]),
        request_id=current_request_id(),
        retryable=error.retryable,
        retry_after_s=retry_after_s(error),
        fix=redact_text(error.fix) if error.fix else None,
        errors=error.fields if isinstance(error, InvalidRequest) else None,
    )


def public_name(kind: type[PlauditError]) -> str:
    """A service's own subclass goes out under the public class that a client can map back."""
    for base in kind.__mro__:
        if base.__module__ == "plaudit.errors":
            return base.__name__
    return "PlauditError"


def retry_after_s(error: PlauditError) -> float | None:
    if not isinstance(error, Unavailable):
        return None
    if error.retry_after_s is None and error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return DEFAULT_RETRY_AFTER_S
    return error.retry_after_s


def problem_response(problem: Problem) -> Response:
    headers = {}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(problem.retry_after_s)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def internal_problem() -> Problem:
    """For an unforeseen exception: its text stays in the log. A retry may meet another replica."""
    return Problem(
        type=problem_type("Internal"),
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail="An unforeseen error; the service's log has it under this request_id.",
        request_id=current_request_id(),
        retryable=True,
    )


def http_problem(error: HTTPException) -> Problem:
    """Errors of the framework itself: no such path, wrong method, unreadable body."""
    names = {401: "Unauthorized", 404: "NotFound", 409: "Conflict", 413: "BodyTooLarge"}
    return Problem(
        type=problem_type(names.get(error.status_code, "Rejected")),
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=redact_text(str(error.detail)[:MAX_DETAIL_CHARS]),
        request_id=current_request_id(),
        retryable=error.status_code >= 500,
    )


async def on_plaudit_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlauditError)
    if error.status >= 500:
        log.warning("request_failed", path=request.url.path, error=str(error))
    return problem_response(problem_of(error))


async def on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(problem_of(InvalidRequest(error.errors())))


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # why: FastAPI wraps whatever reading the body raises, our own limits too.
    if isinstance(error.__cause__, PlauditError):
        return problem_response(problem_of(error.__cause__))
    response = problem_response(http_problem(error))
    response.headers.update(error.headers or {})
    return response


async def on_redis_error(request: Request, error: Exception) -> Response:
    log.warning("redis_unreachable", error=str(error))
    return problem_response(
        problem_of(
            Unavailable(
                "Redis does not answer this service.",
                fix="check that Redis runs and that redis_url (PLAUDIT_REDIS_URL) names it.",
                retry_after_s=DEFAULT_RETRY_AFTER_S,
            )
        )
    )


def add_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(PlauditError, on_plaudit_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RedisConnectionError, on_redis_error)
    app.add_exception_handler(RedisTimeoutError, on_redis_error)
