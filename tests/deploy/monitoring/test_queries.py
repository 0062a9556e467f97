"""Alerts and dashboards ask for metrics, labels and values that the code has."""

import re

import pytest

from .known import (
    OF_EVERY_SAMPLE,
    VLLM_METRICS,
    grouping_labels,
    known_samples,
    matchers_in,
    names_in,
)
from .queries import DASHBOARDS, ROOT, Query, queries

QUERIES = list(queries())
KNOWN = known_samples()
OF_THE_CHASSIS = {
    "service": {"rollout", "reward", "judge", "sandbox", "trainer"},
    "lane": {"train", "eval"},
    "status": {"2xx", "4xx", "5xx"},
    "method": {"GET", "POST"},
    "route": {"/readyz"},
    "reason": {"run_over", "zero_variance"},
    "job": {".*plaudit.*"},
}


def test_there_is_something_to_check() -> None:
    assert len(DASHBOARDS) == 5
    assert len(QUERIES) > 80
    assert len(KNOWN) > 90


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_every_metric_exists(query: Query) -> None:
    assert names_in(query.text)
    assert names_in(query.text) <= KNOWN.keys()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_every_label_exists(query: Query) -> None:
    all_labels = OF_EVERY_SAMPLE.union(*(KNOWN[name].labels for name in names_in(query.text)))
    for name, label, _ in matchers_in(query.text):
        assert label in KNOWN[name].labels | OF_EVERY_SAMPLE, f"{name} has no {label}"
    assert grouping_labels(query.text) | query.shown_labels <= all_labels


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_every_value_of_a_label_exists(query: Query) -> None:
    for name, label, values in matchers_in(query.text):
        for value in values:
            is_named = re.search(rf"\b{value}\b", KNOWN[name].text) is not None
            assert is_named or value in OF_THE_CHASSIS.get(label, ()), f"{name}: {label}={value}"


def test_the_list_of_vllms_metrics_is_true_of_the_vllm_that_is_installed() -> None:
    found = list((ROOT / ".venv-rollout").glob("lib/*/site-packages/vllm/v1/metrics/loggers.py"))
    if not found:
        pytest.skip("there is no .venv-rollout")
    source = found[0].read_text()
    for line in VLLM_METRICS.read_text().splitlines():
        assert f'"{line.split()[0]}"' in source, line


def test_the_reasons_why_groups_are_dropped_are_those_of_the_trainer() -> None:
    documented = (ROOT / "docs" / "trainer.md").read_text()
    for reason in OF_THE_CHASSIS["reason"]:
        assert f"| `{reason}` |" in documented


def test_nothing_refers_to_a_run_or_a_prompt_by_its_id() -> None:
    labels = {label for known in KNOWN.values() for label in known.labels}
    assert not labels & {"run_id", "group_id", "prompt", "request_id", "trace_id"}
