"""Spans of the traces in trace.py, for a collector. Nothing is done before `export_spans`.

Attributes take names from fixed sets and ids, never a text of a user or a model.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from plaudit.telemetry.otlp import SpanSender
from plaudit.telemetry.trace import TraceContext, current_traceparent, use_traceparent

Attribute = str | int | float
Kind = Literal["internal", "server", "consumer"]


@dataclass(frozen=True, slots=True)
class Span:
    """Times in seconds since 1970."""

    name: str
    trace: TraceContext
    started_s: float
    ended_s: float
    kind: Kind = "internal"
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    is_error: bool = False


_senders: list[SpanSender] = []
"""None or one. Of the process, as logging is: a span may end anywhere."""


def export_spans(service: str, endpoint: str | None) -> None:
    """Sends spans to `endpoint`/v1/traces from now on; None stops that. Raises ConfigError."""
    while _senders:
        _senders.pop().close()
    if endpoint is not None:
        _senders.append(SpanSender(service, endpoint))


def is_exporting() -> bool:
    return bool(_senders)


def record(span: Span) -> None:
    """Unless the caller of the trace said that it is not recorded."""
    if _senders and int(span.trace.flags, 16) & 1:
        _senders[0].add(span)


@contextmanager
def span(name: str, **attributes: Attribute) -> Iterator[None]:
    """What happens inside, as a part of the current trace."""
    if not _senders:
        yield
        return
    with (
        use_traceparent(current_traceparent()) as trace,
        recorded(name, trace, "internal", **attributes),
    ):
        yield


@contextmanager
def recorded(name: str, trace: TraceContext, kind: Kind, **attributes: Attribute) -> Iterator[None]:
    """What happens inside, as the span that `trace` stands for."""
    if not _senders:
        yield
        return
    started_s = time.time()
    is_error = True
    try:
        yield
        is_error = False
    finally:
        record(Span(name, trace, started_s, time.time(), kind, attributes, is_error))
