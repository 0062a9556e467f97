"""What Prometheus and Grafana read is where they look for it, and is made of what it says."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from plaudit.local.environment import PORTS

from ..compose_file import DIRECTORY, image_of, services
from .queries import DASHBOARDS, MONITORING, ROOT, panels

COMPOSE = services()
SCRAPES: list[dict[str, Any]] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())[
    "scrape_configs"
]
TARGETS = [
    (name, found["port"], scrape["job_name"])
    for scrape in SCRAPES
    for found in scrape["dns_sd_configs"]
    for name in found["names"]
]


def mounted(service: str) -> dict[str, Path]:
    """Where each directory of ours is inside."""
    found = {}
    for volume in COMPOSE[service]["volumes"]:
        source, target, *_ = str(volume).split(":")
        if source.startswith("."):
            found[target] = (DIRECTORY / source).resolve()
    return found


def test_the_dashboards_are_made_of_their_descriptions(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "dashboards.py", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in DASHBOARDS}, "run scripts/dashboards.py"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_no_two_panels_lie_on_each_other(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(path):
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_finds_its_files() -> None:
    assert mounted("prometheus")["/etc/prometheus"] == MONITORING
    command = COMPOSE["prometheus"]["command"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in command


def test_grafana_finds_its_files() -> None:
    inside = mounted("grafana")
    assert inside["/etc/grafana/provisioning"] == MONITORING / "grafana" / "provisioning"
    provider = yaml.safe_load(
        (MONITORING / "grafana" / "provisioning" / "dashboards" / "plaudit.yaml").read_text()
    )
    [path] = [one["options"]["path"] for one in provider["providers"]]
    assert inside[path] == MONITORING / "dashboards"


def test_grafana_asks_the_prometheus_of_compose() -> None:
    path = MONITORING / "grafana" / "provisioning" / "datasources" / "prometheus.yaml"
    [source] = yaml.safe_load(path.read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert set(COMPOSE["grafana"]["networks"]) & set(COMPOSE["prometheus"]["networks"])


@pytest.mark.parametrize(("name", "port", "job"), TARGETS)
def test_every_target_is_a_container_that_answers_there(name: str, port: int, job: str) -> None:
    environment = COMPOSE[name].get("environment", {})
    image = image_of(COMPOSE[name])
    worker_port = environment.get(f"PLAUDIT_{image.upper()}_WORKER_PORT")
    if job == "plaudit-vllm":
        assert port == 8201
    elif job == "plaudit-workers":
        assert worker_port == port
    else:
        assert PORTS[image] == port
        assert worker_port is None
    assert set(COMPOSE[name]["networks"]) & set(COMPOSE["prometheus"]["networks"])


def test_nothing_that_has_metrics_is_left_out() -> None:
    ours = {name for name, one in COMPOSE.items() if str(one["image"]).startswith("plaudit-")}
    assert {name for name, _, _ in TARGETS} == ours - {"seed"}
