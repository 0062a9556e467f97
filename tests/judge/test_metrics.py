"""Series that are there before anything is counted in them."""

from prometheus_client import REGISTRY

from plaudit_judge.metrics import begin_at_zero


def test_a_worker_shows_zero_of_what_has_not_happened_yet() -> None:
    begin_at_zero("fresh")
    for verdict in ("first", "second", "tie", "unparsed"):
        labels = {"judge": "fresh", "verdict": verdict}
        assert REGISTRY.get_sample_value("plaudit_judge_verdicts_total", labels) == 0.0
    for outcome in ("ok", "unavailable", "rejected"):
        labels = {"judge": "fresh", "outcome": outcome}
        assert REGISTRY.get_sample_value("plaudit_judge_calls_total", labels) == 0.0
