"""One ASGI layer around every request.

Request id, trace, host check, auth, concurrency bound, body limit, metrics, and the last line of
defence against exceptions. One class and no copies, because every group passes here many times.
"""

import asyncio
import re
import time
from collections.abc import Mapping, MutableMapping
from functools import partial
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plaudit.errors import BodyTooLarge, PlauditError, QueueFull, Unavailable
from plaudit.service.auth import OPEN_PATHS, BearerAuth, check_loopback_host
from plaudit.service.body_limit import BodyBound, BodyLimit, body_too_large
from plaudit.service.gate import Gate
from plaudit.service.problems import internal_problem, problem_of, problem_response
from plaudit.telemetry.logging import get_logger
from plaudit.telemetry.metrics import counter, gauge, histogram
from plaudit.telemetry.spans import Attribute, Span, is_exporting, record
from plaudit.telemetry.trace import TraceContext, bind, continue_trace, new_id, unbind

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
NO_ANSWER = 499
"""The status counted when the caller went away before an answer began."""
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})

REQUESTS = counter(
    "plaudit_http_requests_total",
    "Requests answered, by route template and status class.",
    ("service", "method", "route", "status"),
)
DURATION = histogram(
    "plaudit_http_request_duration_seconds",
    "Time from the request's headers to the end of its answer.",
    ("service", "method", "route"),
)
IN_PROGRESS = gauge(
    "plaudit_http_requests_in_progress", "Requests being answered now.", ("service",)
)

log = get_logger(__name__)


class Chassis:
    """`draining` is shared with the server: set while it shuts down."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        name: str,
        auth: BearerAuth,
        gates: Mapping[str, Gate],
        loopback_only: bool,
        max_body_bytes: int,
        body_timeout_s: float,
        max_concurrent_requests: int,
        draining: asyncio.Event,
    ) -> None:
        self.app = app
        self.name = name
        self.auth = auth
        self.gates = gates
        self.loopback_only = loopback_only
        self.body_bound = BodyBound(
            max_body_bytes, partial(body_too_large, "max_body_bytes", max_body_bytes)
        )
        self.body_timeout_s = body_timeout_s
        self.max_concurrent_requests = max_concurrent_requests
        self.draining = draining
        self.num_in_progress = 0
        IN_PROGRESS.labels(name).set_function(lambda: self.num_in_progress)
        self.children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await refuse_websocket(self.app, scope, receive, send)
            return
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = request_id_of(headers)
        trace = continue_trace(text_of(headers.get(b"traceparent")))
        tokens = bind(trace, request_id)
        response = Responder(send, request_id)
        gate: Gate | None = None
        self.num_in_progress += 1
        try:
            gate = self.admit(scope, headers)
            bound = self.body_bound if gate is None else gate.body_bound or self.body_bound
            body = BodyLimit(receive, bound, self.body_timeout_s, headers)
            await self.app(scope, body, response)
        except PlauditError as error:
            await response.fail(scope, error)
        except asyncio.CancelledError:
            if self.draining.is_set() and not response.status:
                await response.fail(scope, Unavailable("The service is shutting down."))
            raise
        except Exception as error:  # why: the last line of defence; logged, answered as a problem.
            log.error("unforeseen_error", path=scope["path"], exc_info=error)
            await response.fail(scope, None)
        finally:
            self.num_in_progress -= 1
            if gate is not None:
                gate.leave()
            seconds = time.perf_counter() - started
            self.observe(scope, response.status or NO_ANSWER, seconds)
            if is_exporting() and scope["path"] not in OPEN_PATHS:
                record(span_of(scope, trace, response.status or NO_ANSWER, seconds))
            unbind(tokens)

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Gate | None:
        """Refuses what can be before a byte of the body is read; a gate it returns is entered."""
        if scope["path"] in OPEN_PATHS:
            return None
        if self.loopback_only:
            check_loopback_host(headers.get(b"host"))
        caller = self.auth.check(headers.get(b"authorization"))
        if self.num_in_progress > self.max_concurrent_requests:
            raise self.too_busy()
        if caller is None:
            return None
        gate = self.gates[caller]
        gate.enter(scope)
        return gate

    def too_busy(self) -> QueueFull:
        return QueueFull(
            f"{self.name} is answering max_concurrent_requests = "
            f"{self.max_concurrent_requests} requests already.",
            retry_after_s=1.0,
        )

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route: str = getattr(scope.get("route"), "path", "unmatched")
        key = (method, route, status // 100)
        child = self.children.get(key)
        if child is None:
            child = (
                REQUESTS.labels(self.name, method, route, f"{status // 100}xx"),
                DURATION.labels(self.name, method, route),
            )
            self.children[key] = child
        child[0].inc()
        child[1].observe(seconds)


class Responder:
    """The `send` of one request: adds X-Request-ID, remembers the status."""

    __slots__ = ("request_id", "send", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.request_id = request_id
        self.status = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id.encode()),
            ]
        await self.send(message)

    async def fail(self, scope: Scope, error: PlauditError | None) -> None:
        """Answers with a problem, unless an answer has begun; None is an unforeseen error."""
        if self.status:
            # why: half an answer went out; only a broken connection tells the caller so.
            raise ConnectionAbortedError("failed after the answer had begun") from error
        problem = internal_problem() if error is None else problem_of(error)
        response = problem_response(problem)
        if problem.status == BodyTooLarge.status:
            response.headers["connection"] = "close"
        await response(scope, no_receive, self)


def span_of(scope: Scope, trace: TraceContext, status: int, seconds: float) -> Span:
    """By route template: a path may hold ids."""
    ended_s = time.time()
    route: str = getattr(scope.get("route"), "path", "unmatched")
    attributes: dict[str, Attribute] = {"http.route": route, "http.response.status_code": status}
    name = f"{scope['method']} {route}"
    return Span(name, trace, ended_s - seconds, ended_s, "server", attributes, status >= 500)


async def refuse_websocket(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Only the lifespan passes; a WebSocket would pass by authentication."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await app(scope, receive, send)


async def no_receive() -> Message:
    return {"type": "http.disconnect"}


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The caller's X-Request-ID when it is harmless, else a new one."""
    given = text_of(headers.get(b"x-request-id"))
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return new_id(16)


def text_of(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
