"""A collector that takes OTLP over HTTP, as JSON, and keeps what it got."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from plaudit.telemetry import export_spans


@dataclass
class Collector:
    url: str = ""
    status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)

    def spans(self) -> dict[str, dict[str, Any]]:
        """By name. Ends the export, so that everything has arrived."""
        export_spans("test", None)
        return {
            span["name"]: span
            for request in self.requests
            for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        }


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/json"
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.requests.append(json.loads(body))
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        export_spans("test", None)
        server.shutdown()
        server.server_close()


def attributes(span: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}
