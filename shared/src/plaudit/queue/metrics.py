"""Prometheus metrics of a queue. Labels are bounded: the queue's name and the two lanes."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from plaudit.errors import Unavailable
from plaudit.queue.model import QueueStats
from plaudit.queue.queue import WorkQueue

MAX_SCRAPE_S = 2.0

Family = GaugeMetricFamily | CounterMetricFamily

_LANE_GAUGES = {
    "queued": "Jobs that wait for a worker, retries included.",
    "running": "Jobs under a lease.",
    "lag": "Jobs that no worker has seen yet.",
    "oldest_age_s": "Seconds since the oldest unfinished job was submitted.",
}
_LANE_TOTALS = {
    "submitted": "Jobs accepted.",
    "done": "Jobs that ended with a result.",
    "failed": "Jobs that a handler gave up on.",
    "dead": "Jobs that used up their deliveries.",
    "cancelled": "Jobs that were cancelled.",
    "redelivered": "Deliveries after the first.",
    "lapsed": "Leases that were not renewed in time.",
    "released": "Leases that were handed back.",
}
_TOTALS = {
    "dead_dropped": "Dead letters pushed out by newer ones.",
    "refused": "Jobs refused because the queue was full.",
    "late": "Results that came after the job had ended.",
}


def queue_metrics(*found: QueueStats) -> Iterator[Metric]:
    """What a Prometheus collector yields for these queues."""
    for name, text in _LANE_GAUGES.items():
        metric_name = f"plaudit_queue_{name.replace('_s', '_seconds')}"
        gauge = GaugeMetricFamily(metric_name, text, labels=["queue", "lane"])
        yield _by_lane(gauge, name, found)
    for name, text in _LANE_TOTALS.items():
        counter = CounterMetricFamily(f"plaudit_queue_{name}", text, labels=["queue", "lane"])
        yield _by_lane(counter, name, found)
    for name, text in _TOTALS.items():
        yield _by_queue(
            CounterMetricFamily(f"plaudit_queue_{name}", text, labels=["queue"]), name, found
        )
    letters = GaugeMetricFamily(
        "plaudit_queue_dead_letters", "Dead letters kept.", labels=["queue"]
    )
    yield _by_queue(letters, "dead", found)


async def queue_metrics_text(*queues: WorkQueue) -> bytes:
    """These queues as they are now, for /metrics; without values while Redis does not answer."""
    try:
        async with asyncio.timeout(MAX_SCRAPE_S):
            found = await asyncio.gather(*(queue.stats() for queue in queues))
    except (Unavailable, TimeoutError):
        found = []
    registry = CollectorRegistry()
    registry.register(_Shown(found))
    return generate_latest(registry)


class _Shown(Collector):
    def __init__(self, found: Sequence[QueueStats]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        return queue_metrics(*self._found)


def _by_lane(metric: Family, name: str, found: Iterable[QueueStats]) -> Metric:
    for stats in found:
        for lane, values in stats.lanes.items():
            metric.add_metric([stats.queue, lane], getattr(values, name))
    return metric


def _by_queue(metric: Family, name: str, found: Iterable[QueueStats]) -> Metric:
    for stats in found:
        metric.add_metric([stats.queue], getattr(stats, name))
    return metric
