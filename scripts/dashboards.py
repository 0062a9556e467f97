"""Makes Grafana's dashboards out of deploy/monitoring/panels/*.toml:  scripts/dashboards.py

A panel has a title, its queries with their legends, and where they apply a unit, a description,
`kind = "stat"` instead of a graph, `shows = "name"` instead of the value, and `stacked`.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

MONITORING = Path(__file__).parents[1] / "deploy" / "monitoring"
COLUMNS = 24
SIZES = {"timeseries": (12, 8), "stat": (6, 4)}
"""Width and height of each kind."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def main(output: Path) -> None:
    for path in sorted((MONITORING / "panels").glob("*.toml")):
        made = dashboard(path.stem, tomllib.loads(path.read_text()))
        (output / f"{path.stem}.json").write_text(json.dumps(made, indent=1) + "\n")


def dashboard(name: str, described: dict[str, Any]) -> dict[str, Any]:
    return {
        "uid": f"plaudit-{name}",
        "title": described["title"],
        "tags": ["plaudit"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "links": [{"type": "dashboards", "tags": ["plaudit"], "title": "Plaudit"}],
        "panels": placed([panel(one) for one in described["panel"]]),
    }


def panel(described: dict[str, Any]) -> dict[str, Any]:
    kind = described.get("kind", "timeseries")
    stacking = {"stacking": {"mode": "normal"}, "fillOpacity": 40}
    custom = stacking if described.get("stacked") else {}
    return {
        "type": kind,
        "title": described["title"],
        "description": described.get("description", ""),
        "datasource": DATASOURCE,
        "fieldConfig": {
            "defaults": {"unit": described.get("unit", "short"), "custom": custom},
            "overrides": [],
        },
        "options": {"textMode": described["shows"]} if "shows" in described else {},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": DATASOURCE, "expr": expr} | legend(text)
            for at, (expr, text) in enumerate(described["queries"])
        ],
    }


def legend(text: str) -> dict[str, str]:
    return {"legendFormat": text} if text else {}


def placed(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """From left to right, then down; a row is as high as its panels, which are of one kind."""
    x = y = row_height = 0
    for number, one in enumerate(panels, start=1):
        width, height = SIZES[one["type"]]
        if x + width > COLUMNS or (row_height and height != row_height):
            x, y = 0, y + row_height
        one |= {"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": height}}
        x, row_height = x + width, height
    return panels


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MONITORING / "dashboards")
