"""What a group's scoring costs is seen in the group's own trace."""

from plaudit.telemetry import export_spans
from plaudit_trainer.conductor.admission import submit
from plaudit_trainer.group_trace import group_trace

from ...shared.telemetry.collector import collecting


async def test_a_group_is_scored_in_its_own_trace(conductors, arrive, until):
    context = conductors()
    groups = await context.ledger.admit(max_live=1, num_rows=5)
    with collecting() as collector:
        export_spans("test", collector.url)
        await submit(context, groups)
        arrive(context)
        await until(context.ledger.num_ready)
        spans = collector.spans()
    trace = group_trace("r", groups[0])
    for name in ("queue", "generate", "reward"):
        assert spans[name]["traceId"] == trace.trace_id
        assert spans[name]["parentSpanId"] == trace.span_id
    assert spans["POST /v1/score"]["parentSpanId"] == spans["reward"]["spanId"]
