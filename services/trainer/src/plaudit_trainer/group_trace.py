"""One trace per group, from admission to gradient, over processes that never speak of it.

Its ids are made of the group's id, so conductor and learner, also restarted, mean the same trace.
A group that is dropped has its stages, but no whole.
"""

import hashlib
import time
from collections.abc import Mapping

from plaudit.schemas.run import ReadyGroup
from plaudit.telemetry import Span, TraceContext, is_exporting, record


def group_trace(run_id: str, group_id: str) -> TraceContext:
    """Of the whole way of a group."""
    digest = hashlib.sha256(f"{run_id}/{group_id}".encode()).hexdigest()
    return TraceContext(digest[:32], digest[32:48])


def record_rollout(trace: TraceContext, admitted_at: float, times: Mapping[str, float]) -> None:
    """Waiting for an engine and generating, as the rollout service says how long they took."""
    if not is_exporting():
        return
    started_s = admitted_at
    for stage in ("queue", "generate"):
        ended_s = started_s + times[stage]
        record(Span(stage, trace.child(), started_s, ended_s))
        started_s = ended_s


def record_trained(run_id: str, group: ReadyGroup, step: int, staleness: int) -> None:
    """The wait for the learner's turn, its optimizer step, and with these the whole."""
    if not is_exporting():
        return
    now_s = time.time()
    trace = group_trace(run_id, group.group_id)
    record(Span("ready to trained", trace.child(), group.ready_at, now_s))
    attributes: dict[str, str | int | float] = {
        "plaudit.run_id": run_id,
        "plaudit.group_id": group.group_id,
        "plaudit.step": step,
        "plaudit.staleness": staleness,
    }
    record(Span("group", trace, group.admitted_at, now_s, attributes=attributes))
