"""Logs, metrics and trace context."""

from plaudit.telemetry.logging import get_logger, setup_logging
from plaudit.telemetry.metrics import LabelBound, counter, gauge, histogram, metrics_text
from plaudit.telemetry.redact import escape_control, redact_text
from plaudit.telemetry.trace import (
    current_request_id,
    current_trace,
    current_traceparent,
    parse_traceparent,
    use_traceparent,
)

__all__ = [
    "LabelBound",
    "counter",
    "current_request_id",
    "current_trace",
    "current_traceparent",
    "escape_control",
    "gauge",
    "get_logger",
    "histogram",
    "metrics_text",
    "parse_traceparent",
    "redact_text",
    "setup_logging",
    "use_traceparent",
]
