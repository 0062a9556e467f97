"""Logs, metrics, trace context and spans."""

from plaudit.telemetry.logging import get_logger, setup_logging
from plaudit.telemetry.metrics import LabelBound, counter, gauge, histogram, metrics_text
from plaudit.telemetry.redact import escape_control, redact_text
from plaudit.telemetry.spans import Span, export_spans, is_exporting, record, recorded, span
from plaudit.telemetry.trace import (
    TraceContext,
    current_request_id,
    current_trace,
    current_traceparent,
    parse_traceparent,
    use_trace,
    use_traceparent,
)

__all__ = [
    "LabelBound",
    "Span",
    "TraceContext",
    "counter",
    "current_request_id",
    "current_trace",
    "current_traceparent",
    "escape_control",
    "export_spans",
    "gauge",
    "get_logger",
    "histogram",
    "is_exporting",
    "metrics_text",
    "parse_traceparent",
    "record",
    "recorded",
    "redact_text",
    "setup_logging",
    "span",
    "use_trace",
    "use_traceparent",
]
