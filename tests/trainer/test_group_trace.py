"""One trace of a group, whichever process tells of a part of it."""

from collections.abc import Iterator

import pytest

from plaudit.schemas.rollout import RolloutGroup
from plaudit.schemas.run import ReadyGroup
from plaudit.telemetry import export_spans, is_exporting
from plaudit_trainer.group_trace import group_trace, record_rollout, record_trained

from ..shared.telemetry.collector import Collector, attributes, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        export_spans("plaudit-test", found.url)
        yield found


def ready(group_id: str) -> ReadyGroup:
    rollout = RolloutGroup(
        run_id="r", group_id=group_id, prompt=[], prompt_token_ids=[], reference={},
        completions=[], replica_id="e0",
    )  # fmt: skip
    return ReadyGroup(
        group_id=group_id, kind="math", rollout=rollout, scores=[], admitted_at=100.0,
        ready_at=130.0,
    )  # fmt: skip


def test_conductor_and_learner_speak_of_the_same_trace(collector: Collector) -> None:
    trace = group_trace("r", "0/1/0")
    record_rollout(trace, 100.0, {"queue": 2.0, "generate": 8.0})
    record_trained("r", ready("0/1/0"), step=5, staleness=1)
    spans = collector.spans()
    assert {one["traceId"] for one in spans.values()} == {trace.trace_id}
    whole = spans.pop("group")
    assert (whole["spanId"], whole["parentSpanId"]) == (trace.span_id, "")
    assert {one["parentSpanId"] for one in spans.values()} == {trace.span_id}
    starts = {name: int(one["startTimeUnixNano"]) / 1e9 for name, one in spans.items()}
    assert starts == {"queue": 100.0, "generate": 102.0, "ready to trained": 130.0}
    assert attributes(whole)["plaudit.step"] == "5"
    assert attributes(whole)["plaudit.group_id"] == "0/1/0"


def test_every_group_of_every_run_has_a_trace_of_its_own() -> None:
    pairs = [("r", "0/1/0"), ("r", "0/1/1"), ("other", "0/1/0")]
    assert len({group_trace(*pair).trace_id for pair in pairs}) == 3


def test_without_a_collector_nothing_is_made() -> None:
    assert not is_exporting()
    record_trained("r", ready("0/1/0"), step=5, staleness=1)
