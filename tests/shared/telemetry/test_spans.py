"""Spans reach a collector as OpenTelemetry wants them, and never hold anybody up."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from fastapi import Request
from redis.asyncio import Redis

from plaudit.config import ServiceSettings, load_settings
from plaudit.errors import ConfigError
from plaudit.queue import Job, Lease, Worker, WorkQueue
from plaudit.service import create_app
from plaudit.telemetry import (
    current_traceparent,
    export_spans,
    is_exporting,
    otlp,
    span,
    use_traceparent,
)
from plaudit.testing import running
from plaudit.testing.net import free_port

from .collector import Collector, attributes, collecting

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = CALLER[:-2] + "00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        export_spans("plaudit-test", found.url)
        yield found


def test_a_span_has_its_trace_its_parent_its_times_and_attributes(collector: Collector) -> None:
    before_s = time.time()
    with use_traceparent(CALLER) as outer, span("work", judge="self", step=3):
        inside = current_traceparent()
    found = collector.spans()["work"]
    assert inside == f"00-{found['traceId']}-{found['spanId']}-01"
    assert found["traceId"] == CALLER[3:35]
    assert found["parentSpanId"] == outer.span_id
    started, ended = int(found["startTimeUnixNano"]), int(found["endTimeUnixNano"])
    assert before_s * 1e9 - 1e6 <= started <= ended <= time.time() * 1e9 + 1e6
    assert attributes(found) == {"judge": "self", "step": "3"}
    [resource] = [one["resource"] for one in collector.requests[0]["resourceSpans"]]
    assert attributes(resource) == {"service.name": "plaudit-test"}


def test_what_fails_is_marked(collector: Collector) -> None:
    with pytest.raises(ValueError), use_traceparent(CALLER), span("broken"):
        raise ValueError
    assert collector.spans()["broken"]["status"] == {"code": 2}


def test_a_trace_that_the_caller_does_not_record_is_not_recorded(collector: Collector) -> None:
    with use_traceparent(UNSAMPLED), span("quiet"):
        pass
    assert collector.spans() == {}


def test_nothing_is_sent_unless_it_is_switched_on() -> None:
    assert not is_exporting()
    with use_traceparent(CALLER) as trace, span("work"):
        assert current_traceparent() == str(trace), "not even a new span id"


def test_a_request_and_the_job_that_it_starts_are_one_trace(
    collector: Collector, redis_url: str
) -> None:
    app = create_app("test", ServiceSettings(drain_timeout_s=0.1))

    async def handler(lease: Lease) -> bytes:
        with span("inner"):
            return b""

    @app.post("/v1/things/{name}")
    async def ask(request: Request) -> None:
        async with Redis.from_url(redis_url) as redis:
            queue, stop = WorkQueue(redis, "things"), asyncio.Event()
            await queue.submit(Job("1", b"", "train", current_traceparent()))
            working = asyncio.create_task(Worker(queue, handler, "w").run(stop))
            await queue.wait("1", timeout_s=5)
            stop.set()
            await working
            await queue.aclose()

    async def call(url: str) -> None:
        async with aiohttp.ClientSession(headers={"traceparent": CALLER}) as session:
            await session.post(f"{url}/v1/things/secret")
            await session.get(f"{url}/livez")

    with running(app) as url:
        asyncio.run(call(url))
    spans = collector.spans()
    assert spans.keys() == {"POST /v1/things/{name}", "things job", "inner"}
    request, job, inner = (spans[n] for n in ("POST /v1/things/{name}", "things job", "inner"))
    assert {one["traceId"] for one in spans.values()} == {CALLER[3:35]}
    assert request["parentSpanId"] == CALLER[36:52]
    assert (job["parentSpanId"], inner["parentSpanId"]) == (request["spanId"], job["spanId"])
    assert attributes(request)["http.response.status_code"] == "200"
    assert attributes(job) == {"lane": "train", "delivery": "1"}
    assert "secret" not in str(collector.requests)


def test_a_collector_that_is_away_holds_nobody_up() -> None:
    dropped = otlp.SPANS.labels("dropped")
    before = dropped._value.get()
    export_spans("test", f"http://127.0.0.1:{free_port()}")
    with use_traceparent(CALLER), span("lost"):
        pass
    started_s = time.monotonic()
    export_spans("test", None)
    assert time.monotonic() - started_s < otlp.CLOSE_TIMEOUT_S
    assert dropped._value.get() == before + 1


def test_more_than_can_wait_is_dropped_and_counted(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "MAX_WAITING", 2)
    monkeypatch.setattr(otlp, "SEND_EVERY_S", 60.0)
    export_spans("test", collector.url)
    before = otlp.SPANS.labels("dropped")._value.get()
    for name in ("first", "second", "third"):
        with use_traceparent(CALLER), span(name):
            pass
    assert otlp.SPANS.labels("dropped")._value.get() == before + 1
    assert collector.spans().keys() == {"first", "second"}


def test_an_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(ConfigError, match="otlp_endpoint = 'collector' is no URL"):
        export_spans("test", "collector")
    assert not is_exporting()


def test_one_variable_switches_it_on_for_all_services(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAUDIT_OTLP_ENDPOINT", "http://collector:4318")
    assert load_settings(ServiceSettings, "judge").otlp_endpoint == "http://collector:4318"
