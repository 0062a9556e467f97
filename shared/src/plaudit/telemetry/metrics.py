"""Prometheus metrics. Labels come from small fixed sets: never an id, a path or any user text."""

from collections.abc import Sequence

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from plaudit.errors import ConfigError

METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST
LATENCY_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
OTHER = "other"


def counter(name: str, help: str, labels: Sequence[str] = ()) -> Counter:
    """`plaudit_..._total`. Define metrics at module level: a name exists once per process."""
    return Counter(checked(name), help, labels)


def gauge(name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
    return Gauge(checked(name), help, labels)


def histogram(
    name: str,
    help: str,
    labels: Sequence[str] = (),
    buckets: Sequence[float] = LATENCY_BUCKETS_S,
) -> Histogram:
    return Histogram(checked(name), help, labels, buckets=buckets)


def checked(name: str) -> str:
    if not name.startswith("plaudit_"):
        raise ConfigError(f"metric {name!r}: its name must start with plaudit_")
    return name


class LabelBound:
    """Lets the first `max_values` values of a label through and calls all others `other`."""

    def __init__(self, max_values: int = 64, known: Sequence[str] = ()) -> None:
        self.max_values = max_values
        self._seen = set(known)

    def __call__(self, value: str) -> str:
        if value in self._seen:
            return value
        if len(self._seen) >= self.max_values:
            return OTHER
        self._seen.add(value)
        return value


def metrics_text() -> bytes:
    """What `GET /metrics` answers."""
    return generate_latest(REGISTRY)
