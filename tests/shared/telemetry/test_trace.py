import asyncio

import pytest

from plaudit.telemetry import current_traceparent, parse_traceparent, use_traceparent

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_valid_traceparent_is_read_and_written_alike() -> None:
    trace = parse_traceparent(GOOD)
    assert trace is not None
    assert trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert str(trace) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "garbage",
        GOOD.upper(),
        GOOD[:-1],
        GOOD + "0",
        GOOD + "-extra",
        "ff" + GOOD[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        GOOD + "\n",
        "01" + GOOD[2:] + "-" + "x" * 1000,
    ],
)
def test_what_the_recommendation_calls_invalid_is_ignored(text: str | None) -> None:
    assert parse_traceparent(text) is None


def test_a_later_version_may_carry_more_fields() -> None:
    assert parse_traceparent("cc" + GOOD[2:] + "-what-the-future-brings") is not None


def test_the_callers_trace_goes_on_with_a_span_of_its_own() -> None:
    with use_traceparent(GOOD) as trace:
        assert trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert trace.span_id != "00f067aa0ba902b7"
        assert current_traceparent() == str(trace)


def test_flags_go_on() -> None:
    with use_traceparent(GOOD[:-2] + "00"):
        assert str(current_traceparent()).endswith("-00")


def test_nothing_is_current_outside_and_the_outer_trace_comes_back() -> None:
    assert current_traceparent() is None
    with use_traceparent(GOOD) as outer:
        with use_traceparent(None) as inner:
            assert inner.trace_id != outer.trace_id
        assert current_traceparent() == str(outer)
    assert current_traceparent() is None


async def test_tasks_do_not_see_each_others_trace() -> None:
    async def one() -> str:
        with use_traceparent(None) as trace:
            await asyncio.sleep(0.01)
            assert current_traceparent() == str(trace)
            return trace.trace_id

    found = await asyncio.gather(*(one() for _ in range(20)))
    assert len(set(found)) == 20
