"""What a peer answered, as one of the errors of plaudit.errors."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pydantic import ValidationError

from plaudit import errors
from plaudit.errors import PlauditError, Rejected, Unavailable
from plaudit.schemas.problem import PROBLEM_JSON, Problem, problem_type
from plaudit.telemetry.redact import escape_control

MAX_QUOTED_CHARS = 200
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
BY_TYPE: dict[str, type[PlauditError]] = {
    problem_type(kind.__name__): kind
    for kind in (
        errors.ConfigError, errors.Rejected, errors.BodyTooLarge, errors.NotFound,
        errors.Unauthorized, errors.Forbidden, errors.Conflict, errors.BudgetExceeded,
        errors.Unavailable, errors.QueueFull, errors.DeadlineExceeded, errors.Corrupt,
        errors.Stalled,
    )
}  # fmt: skip
BY_STATUS: dict[int, type[PlauditError]] = {
    401: errors.Unauthorized,
    402: errors.BudgetExceeded,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.BodyTooLarge,
    429: errors.QueueFull,
    504: errors.DeadlineExceeded,
    529: errors.QueueFull,  # Anthropic's "overloaded"
}


def error_of(peer: str, status: int, headers: Mapping[str, str], body: bytes) -> PlauditError:
    """Not every answer is a problem document: proxies and strangers answer, too."""
    problem = parse_problem(headers, body)
    if problem is None:
        kind = BY_STATUS.get(status) or (Unavailable if status >= 500 else Rejected)
        message = f"{peer} answered {status}: {quote(body)}"
        return make(kind, message, None, header_retry_after_s(headers))
    kind = BY_TYPE.get(problem.type) or BY_STATUS.get(status) or kind_of(problem)
    message = f"{peer}: {escape_control(problem.detail) or problem.title}"
    retry_after_s = problem.retry_after_s
    if retry_after_s is None:
        retry_after_s = header_retry_after_s(headers)
    return make(kind, message, problem.fix, retry_after_s)


def parse_problem(headers: Mapping[str, str], body: bytes) -> Problem | None:
    if not headers.get("content-type", "").startswith(PROBLEM_JSON):
        return None
    try:
        return Problem.model_validate_json(body)
    except ValidationError:
        return None


def kind_of(problem: Problem) -> type[PlauditError]:
    return Unavailable if problem.retryable or problem.status >= 500 else Rejected


def make(
    kind: type[PlauditError], message: str, fix: str | None, retry_after_s: float | None
) -> PlauditError:
    if issubclass(kind, Unavailable):
        return kind(message, fix=fix, retry_after_s=retry_after_s)
    return kind(message, fix=fix)


def header_retry_after_s(headers: Mapping[str, str]) -> float | None:
    """In seconds or as a date; or `retry-after-ms`, as OpenAI and Anthropic send it."""
    if NUMBER.fullmatch(ms := headers.get("retry-after-ms", "")):
        return float(ms) / 1000.0
    value = headers.get("retry-after", "")
    return float(value) if NUMBER.fullmatch(value) else _seconds_until(value, headers)


def _seconds_until(date: str, headers: Mapping[str, str]) -> float | None:
    """By the clock of the peer, where it tells the time. None: no date, or it is past."""
    then_s = _epoch_s(date)
    now_s = _epoch_s(headers.get("date", "")) or time.time()
    return then_s - now_s if then_s is not None and then_s > now_s else None


def _epoch_s(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def quote(body: bytes) -> str:
    """The start of a strange answer, harmless to print."""
    text = escape_control(body[:MAX_QUOTED_CHARS].decode("utf-8", "replace")).replace("\n", " ")
    return repr(text) + ("..." if len(body) > MAX_QUOTED_CHARS else "")
