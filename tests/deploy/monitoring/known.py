"""The metrics that there are: ours from the code, vLLM's from a list."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase

import plaudit.service.gate
import plaudit.service.middleware
import plaudit_judge.metrics
import plaudit_reward.metrics
import plaudit_reward.models.metrics
import plaudit_rollout.metrics
import plaudit_sandbox.metrics
import plaudit_trainer.conductor.metrics
from plaudit.queue import queue_metrics
from plaudit_judge.ledger.budget_metrics import budget_metrics
from plaudit_sandbox.protections import PROTECTIONS
from plaudit_trainer.conductor.metrics import Figures, run_metrics

MODULES: tuple[ModuleType, ...] = (
    plaudit.service.gate,
    plaudit.service.middleware,
    plaudit_judge.metrics,
    plaudit_reward.metrics,
    plaudit_reward.models.metrics,
    plaudit_rollout.metrics,
    plaudit_sandbox.metrics,
    plaudit_trainer.conductor.metrics,
)
VLLM_METRICS = Path(__file__).with_name("vllm_metrics.txt")
OF_EVERY_SAMPLE = frozenset({"job", "instance"})
"""What Prometheus adds."""
Described = tuple[str, str, Iterable[str], str]
"""Name, kind, labels, help."""


@dataclass(frozen=True)
class Known:
    """`text` is its help, which names the values of its labels."""

    labels: frozenset[str]
    text: str


def known_samples() -> dict[str, Known]:
    """By the name of the sample, which of a counter ends in _total."""
    found = {"up": Known(frozenset(), "")}
    for name, kind, labels, text in chain(defined(), made_when_asked(), of_vllm()):
        found |= samples_of(name, kind, labels, text)
    return found


def defined() -> Iterator[Described]:
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, MetricWrapperBase):
                yield value._name, str(value._type), value._labelnames, value._documentation


def made_when_asked() -> Iterator[Described]:
    for metric in chain(queue_metrics(), run_metrics(Figures()), budget_metrics({})):
        if isinstance(metric, GaugeMetricFamily | CounterMetricFamily):
            yield metric.name, metric.type, metric._labelnames, metric.documentation


def of_vllm() -> Iterator[Described]:
    for line in VLLM_METRICS.read_text().splitlines():
        name, kind, *labels = line.split()
        yield name, kind, labels, ""


def samples_of(name: str, kind: str, labels: Iterable[str], text: str) -> dict[str, Known]:
    if name == "plaudit_sandbox_protection":
        text = " ".join(PROTECTIONS)
    own = Known(frozenset(labels), text)
    match kind:
        case "counter":
            return {f"{name}_total": own}
        case "histogram":
            of_bucket = Known(own.labels | {"le"}, text)
            return {f"{name}_bucket": of_bucket, f"{name}_sum": own, f"{name}_count": own}
    return {name: own}


NAME = re.compile(r"(?<![\w:])(?:plaudit_\w+|vllm:\w+|up)(?![\w:])")
SELECTOR = re.compile(r"(plaudit_\w+|vllm:\w+|up)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left)\s*\(([^)]*)\)")


def names_in(query: str) -> set[str]:
    """Of metrics. A label's value is no name."""
    return set(NAME.findall(re.sub(r'"[^"]*"', '""', query)))


def matchers_in(query: str) -> Iterator[tuple[str, str, list[str]]]:
    """Metric, label, and the values that it is compared with."""
    for name, matchers in SELECTOR.findall(query):
        for label, value in MATCHER.findall(matchers):
            yield name, label, value.split("|")


def grouping_labels(query: str) -> set[str]:
    return {label.strip() for labels in GROUPING.findall(query) for label in labels.split(",")} - {
        ""
    }
