"""OTLP over HTTP in its JSON form, which every collector takes and which needs no SDK.

https://opentelemetry.io/docs/specs/otlp/#otlphttp. A thread sends; what it cannot send in time is
dropped and counted, so that a collector that is slow or away holds nobody up.
"""

import atexit
import http.client
import json
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from plaudit.errors import ConfigError
from plaudit.telemetry.logging import get_logger
from plaudit.telemetry.metrics import counter

if TYPE_CHECKING:
    from plaudit.telemetry.spans import Attribute, Span

MAX_WAITING = 10_000
"""Spans that wait to be sent; more are dropped."""
MAX_BATCH = 512
SEND_EVERY_S = 1.0
TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0
PATH = "/v1/traces"
_KINDS = {"internal": 1, "server": 2, "consumer": 5}
_ERROR = 2

SPANS = counter("plaudit_spans_total", "Spans for the collector: sent, dropped.", ("outcome",))

log = get_logger(__name__)


class SpanSender:
    """Raises ConfigError: the endpoint is no URL."""

    def __init__(self, service: str, endpoint: str) -> None:
        self._url = urlsplit(endpoint)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ConfigError(
                f"otlp_endpoint = {endpoint!r} is no URL.",
                fix="write it like http://127.0.0.1:4318.",
            )
        self._service = service
        self._waiting: queue.Queue[Span] = queue.Queue(MAX_WAITING)
        self._closing = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._send_forever, name="spans", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(self, span: "Span") -> None:
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            SPANS.labels("dropped").inc()

    def close(self) -> None:
        """Sends what waits, for at most CLOSE_TIMEOUT_S."""
        self._closing.set()
        self._thread.join(CLOSE_TIMEOUT_S)
        atexit.unregister(self.close)

    def _send_forever(self) -> None:
        while not self._closing.wait(SEND_EVERY_S):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        ends_at_s = time.monotonic() + TIMEOUT_S
        while (batch := self._take()) and time.monotonic() < ends_at_s:
            self._send(batch)

    def _take(self) -> list["Span"]:
        return [self._waiting.get() for _ in range(min(MAX_BATCH, self._waiting.qsize()))]

    def _send(self, batch: Sequence["Span"]) -> None:
        try:
            status = self._post(json.dumps(message(self._service, batch)).encode())
            problem = None if 200 <= status < 300 else f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            problem = type(error).__name__
        SPANS.labels("dropped" if problem else "sent").inc(len(batch))
        if problem and not self._is_away:
            log.warning("spans_not_sent", host=self._url.hostname, reason=problem)
        self._is_away = problem is not None

    def _post(self, body: bytes) -> int:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(str(self._url.hostname), self._url.port, timeout=TIMEOUT_S)
        try:
            path = self._url.path.rstrip("/") + PATH
            connection.request("POST", path, body, {"content-type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()


def message(service: str, spans: Sequence["Span"]) -> dict[str, Any]:
    """An ExportTraceServiceRequest."""
    resource = {"attributes": attributes({"service.name": service})}
    scope = {"scope": {"name": "plaudit"}, "spans": [written(span) for span in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def written(span: "Span") -> dict[str, Any]:
    return {
        "traceId": span.trace.trace_id,
        "spanId": span.trace.span_id,
        "parentSpanId": span.trace.parent_id,
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(round(span.started_s * 1e9)),
        "endTimeUnixNano": str(round(span.ended_s * 1e9)),
        "attributes": attributes(span.attributes),
        "status": {"code": _ERROR} if span.is_error else {},
    }


def attributes(values: "Mapping[str, Attribute]") -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: "Attribute") -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value}
