"""Prometheus beside the stack has data for every panel of every dashboard; after the others."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.monitoring.pictures import draw_all

from .command import ROOT
from .stack import Stack

DASHBOARDS = sorted((ROOT / "deploy" / "monitoring" / "dashboards").glob("*.json"))
STEP_S = 15
RATE_INTERVAL_S = 4 * STEP_S
"""As Grafana has it for a scrape every 15 s."""
SCRAPED_TIMEOUT_S = 4 * STEP_S
"""What the test before did is seen after two scrapes."""
NOTHING_HAPPENED = {
    "sandbox": {
        "Requests refused or failed",
        "Users' rewards and verifiers that were killed, per second",
    },
    "stages": {"HTTP: what named keys were refused, per second"},
}
"""Panels that are empty here, by dashboard: of faults that this run has none of."""


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_data(stack: Stack, dashboard: Path) -> None:
    panels = json.loads(dashboard.read_text())["panels"]
    deadline_s = time.monotonic() + SCRAPED_TIMEOUT_S
    while (empty := titles_without_data(stack, panels)) != NOTHING_HAPPENED.get(
        dashboard.stem, set()
    ):
        assert time.monotonic() < deadline_s, empty
        time.sleep(STEP_S / 3)


def titles_without_data(stack: Stack, panels: list[dict[str, Any]]) -> set[str]:
    return {panel["title"] for panel in panels if not has_data(stack, panel)}


def has_data(stack: Stack, panel: dict[str, Any]) -> bool:
    return any(values(stack, target["expr"]) for target in panel["targets"])


def values(stack: Stack, query: str) -> list[float]:
    """Of all series since the stack was started."""
    now_s = time.time()
    asked = {
        "query": query.replace("$__rate_interval", f"{RATE_INTERVAL_S}s"),
        "start": str(now_s - (time.monotonic() - stack.started_at_s)),
        "end": str(now_s),
        "step": str(STEP_S),
    }
    url = f"{stack.url('prometheus')}/api/v1/query_range"
    answer = httpx.get(url, params=asked, verify=False).json()
    assert answer["status"] == "success", answer
    points = [float(v) for one in answer["data"]["result"] for _, v in one["values"]]
    return [value for value in points if not math.isnan(value)]


def test_the_dashboards_can_be_looked_at_without_grafana(stack: Stack, tmp_path: Path) -> None:
    """TEST_COMPOSE_PICTURES names a directory that keeps them, for the docs."""
    directory = Path(os.environ.get("TEST_COMPOSE_PICTURES") or tmp_path)
    minutes = (time.monotonic() - stack.started_at_s) / 60
    draw_all(stack.url("prometheus"), directory, minutes)
    for dashboard in DASHBOARDS:
        drawn = (directory / f"dashboard-{dashboard.stem}.svg").read_text()
        assert drawn.count("<polyline") > 3, dashboard.stem
