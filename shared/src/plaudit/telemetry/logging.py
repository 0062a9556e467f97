"""Structured logs on standard error: JSON for machines, one coloured line for people."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from plaudit.telemetry.redact import escape_control, redact_value
from plaudit.telemetry.trace import current_caller, current_request_id, current_trace

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]
Event = MutableMapping[str, Any]

NOISY = ("uvicorn.error", "uvicorn.access", "httpx", "aiohttp", "asyncio")


def get_logger(name: str | None = None) -> FilteringBoundLogger:
    """`log = get_logger(__name__)`; safe at import, before `setup_logging`."""
    logger = structlog.get_logger(component=name) if name else structlog.get_logger()
    return cast(FilteringBoundLogger, logger)


def log_warnings() -> None:
    """How a process logs that never calls `setup_logging`, such as a script with our clients.

    structlog's own default writes to standard output, where it would break --json.
    """
    structlog.configure(
        processors=[*processors("plaudit"), console_renderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def setup_logging(service: str, level: Level = "info", format: Format = "console") -> None:
    """Call once per process. Logs of other libraries go the same way, from warning up."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer = json_renderer() if format == "json" else console_renderer()
    shared = processors(service)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    route_standard_logging(shared, renderer, number)


def processors(service: str) -> list[Processor]:
    def add_context(logger: Any, method: str, event: Event) -> Event:
        event.setdefault("service", service)
        trace = current_trace()
        if trace is not None:
            event.setdefault("trace_id", trace.trace_id)
            event.setdefault("span_id", trace.span_id)
        request_id = current_request_id()
        if request_id is not None:
            event.setdefault("request_id", request_id)
        caller = current_caller()
        if caller is not None:
            event.setdefault("caller", caller)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_event,
    ]


def redact_event(logger: Any, method: str, event: Event) -> Event:
    """Secrets are hidden by name, by type, and inside text."""
    for key, value in event.items():
        # why: structlog's own bookkeeping must reach the renderer untouched.
        if not key.startswith("_"):
            event[key] = redact_value(key, value)
    return event


def escape_event(logger: Any, method: str, event: Event) -> Event:
    """Only a traceback may span lines."""
    for key, value in event.items():
        if isinstance(value, str):
            text = escape_control(value)
            event[key] = text if key in ("exception", "stack") else text.replace("\n", "\\n")
    return event


def json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(default=str)


def console_renderer() -> Processor:
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
    )

    def render(logger: Any, method: str, event: Event) -> str:
        return str(console(logger, method, escape_event(logger, method, event)))

    return render


def route_standard_logging(shared: list[Processor], renderer: Processor, level: int) -> None:
    """Replaces the handlers of the root logger by one that renders as structlog does."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in NOISY:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)


if not structlog.is_configured():
    log_warnings()
