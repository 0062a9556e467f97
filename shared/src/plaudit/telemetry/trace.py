"""W3C trace context: one trace id from the first request through queues to the last worker."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """`flags` 01: the caller records this trace."""

    trace_id: str
    span_id: str
    flags: str = "01"
    parent_id: str = ""
    """Span that this one is a part of; empty for the first of a trace."""

    def child(self) -> "TraceContext":
        """The same trace, a new span."""
        return TraceContext(self.trace_id, new_id(8), self.flags, self.span_id)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_trace: ContextVar[TraceContext | None] = ContextVar("plaudit_trace", default=None)
_request_id: ContextVar[str | None] = ContextVar("plaudit_request_id", default=None)
_caller: ContextVar[str | None] = ContextVar("plaudit_caller", default=None)

Tokens = tuple[Token[TraceContext | None], Token[str | None], Token[str | None]]


def new_id(num_bytes: int) -> str:
    # why: not `random`, which training seeds; two ranks would share their ids.
    return os.urandom(num_bytes).hex()


def new_trace() -> TraceContext:
    return TraceContext(new_id(16), new_id(8))


def parse_traceparent(text: str | None) -> TraceContext | None:
    """None for anything the W3C recommendation calls invalid."""
    match = TRACEPARENT.fullmatch(text) if text and len(text) <= 512 else None
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, flags)


def continue_trace(traceparent: str | None) -> TraceContext:
    """A new span in the caller's trace, or a new trace when there is none (or a broken one)."""
    caller = parse_traceparent(traceparent)
    return caller.child() if caller else new_trace()


def current_trace() -> TraceContext | None:
    return _trace.get()


def current_traceparent() -> str | None:
    """What to put into an outgoing request or queue message; None outside of any trace."""
    trace = _trace.get()
    return None if trace is None else str(trace)


def current_request_id() -> str | None:
    return _request_id.get()


def current_caller() -> str | None:
    """The name of the API key that the request came with."""
    return _caller.get()


@contextmanager
def use_traceparent(traceparent: str | None) -> Iterator[TraceContext]:
    """Everything inside belongs to the caller's trace (a new one when None)."""
    trace = continue_trace(traceparent)
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


@contextmanager
def use_trace(trace: TraceContext) -> Iterator[None]:
    """Everything inside is a part of this very span."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def bind(trace: TraceContext, request_id: str) -> Tokens:
    """For the HTTP middleware, where a context manager costs too much."""
    # why the caller, too: a pipelined request begins in the context of the one before it.
    return _trace.set(trace), _request_id.set(request_id), _caller.set(None)


def bind_caller(name: str) -> None:
    """Of the request that was bound last."""
    _caller.set(name)


def unbind(tokens: Tokens) -> None:
    _trace.reset(tokens[0])
    _request_id.reset(tokens[1])
    _caller.reset(tokens[2])
