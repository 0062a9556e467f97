import pytest

from plaudit.errors import ConfigError
from plaudit.telemetry import LabelBound, counter, histogram, metrics_text


def test_a_metric_is_shown_with_its_labels() -> None:
    counter("plaudit_test_shown_total", "Shown.", ("pool",)).labels("rules").inc(2)
    assert b'plaudit_test_shown_total{pool="rules"} 2.0' in metrics_text()


def test_latencies_have_buckets_from_a_millisecond_to_minutes() -> None:
    histogram("plaudit_test_seconds", "Timed.").observe(0.002)
    text = metrics_text().decode()
    assert 'plaudit_test_seconds_bucket{le="0.0025"} 1.0' in text
    assert 'plaudit_test_seconds_bucket{le="0.001"} 0.0' in text


def test_a_name_without_our_prefix_is_refused() -> None:
    with pytest.raises(ConfigError, match="plaudit_"):
        counter("requests_total", "No prefix.")


def test_labels_beyond_the_bound_become_other() -> None:
    bound = LabelBound(max_values=2)
    assert [bound(value) for value in ("a", "b", "c", "a", "d")] == [
        "a",
        "b",
        "other",
        "a",
        "other",
    ]


def test_known_labels_count_towards_the_bound() -> None:
    bound = LabelBound(max_values=2, known=("a", "b"))
    assert bound("c") == "other"
