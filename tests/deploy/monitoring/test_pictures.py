"""Dashboards become pictures from what Prometheus answers."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from deploy.monitoring.pictures import DASHBOARDS, MAX_SERIES, draw_all


class Prometheus(http.server.BaseHTTPRequestHandler):
    """Answers a query by more series than fit, or by none when it asks for the sandbox."""

    queries: list[str] = []

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        self.queries.append(asked["query"][0])
        now_s = time.time()
        names = [] if "sandbox" in asked["query"][0] else map(str, range(MAX_SERIES + 2))
        series = [
            {"metric": {"judge": f"<{name}>"}, "values": [[now_s - 60, name], [now_s, "NaN"]]}
            for name in names
        ]
        body = json.dumps({"status": "success", "data": {"result": series}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Prometheus.queries.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_dashboard_becomes_a_picture_with_all_its_panels(url, tmp_path) -> None:
    draw_all(url, tmp_path, minutes=10.0)
    for path in DASHBOARDS.glob("*.json"):
        drawn = (tmp_path / f"dashboard-{path.stem}.svg").read_text()
        texts = [one.text or "" for one in ElementTree.fromstring(drawn).iter() if one.text]
        for panel in json.loads(path.read_text())["panels"]:
            assert any(text.startswith(panel["title"]) for text in texts), panel["title"]
    assert not any("$__rate_interval" in query for query in Prometheus.queries)


def test_what_has_no_data_says_so_and_the_highest_series_are_kept(url, tmp_path) -> None:
    draw_all(url, tmp_path, minutes=10.0)
    assert "no data" in (tmp_path / "dashboard-sandbox.svg").read_text()
    judges = (tmp_path / "dashboard-judges.svg").read_text()
    assert "no data" not in judges
    assert "&lt;9&gt;" in judges and "&lt;0&gt;" not in judges
