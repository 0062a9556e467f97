"""The dashboards as pictures, drawn from a Prometheus, where there is no Grafana.

    python deploy/monitoring/pictures.py --prometheus URL --out DIRECTORY [--minutes 30]

Each becomes an SVG file with its panels in their order; what has no data says so.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import httpx

from plaudit.report.charts import HEIGHT, WIDTH, line_chart
from plaudit.report.svg import chart_svg

DASHBOARDS = Path(__file__).parent / "dashboards"
NUM_COLUMNS = 3
NUM_POINTS = 120
MAX_SERIES = 8
MAX_LEGEND_CHARS = 22
MIN_RATE_INTERVAL_S = 60.0
"""As Grafana has it for a scrape every 15 s."""
_CELL_WIDTH, _CELL_HEIGHT, _HEAD = WIDTH + 20, HEIGHT + 80, 24

Series = dict[str, list[tuple[float, float | None]]]


def main() -> None:
    options = parse()
    draw_all(options.prometheus, options.out, options.minutes)


def draw_all(prometheus_url: str, directory: Path, minutes: float) -> None:
    """Raises httpx.HTTPError when Prometheus does not answer."""
    directory.mkdir(parents=True, exist_ok=True)
    with httpx.Client(base_url=prometheus_url, timeout=30.0) as client:
        for path in sorted(DASHBOARDS.glob("*.json")):
            dashboard = json.loads(path.read_text())
            found = [series_of(client, panel, minutes) for panel in dashboard["panels"]]
            (directory / f"dashboard-{path.stem}.svg").write_text(picture(dashboard, found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--prometheus", required=True, help="its URL")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0, help="until now")
    return parser.parse_args()


def series_of(client: httpx.Client, panel: Mapping[str, Any], minutes: float) -> Series:
    """By legend; at most as many as can be told apart, the highest ones."""
    found = [one for target in panel["targets"] for one in _asked(client, target, minutes)]
    found.sort(key=lambda one: -max((y for _, y in one[1] if y is not None), default=0.0))
    return dict(found[:MAX_SERIES])


def _asked(
    client: httpx.Client, target: Mapping[str, Any], minutes: float
) -> Iterator[tuple[str, list[tuple[float, float | None]]]]:
    now_s, step_s = time.time(), minutes * 60 / NUM_POINTS
    interval = f"{max(MIN_RATE_INTERVAL_S, 4 * step_s):.0f}s"
    query = target["expr"].replace("$__rate_interval", interval)
    times = {"start": str(now_s - minutes * 60), "end": str(now_s), "step": f"{step_s:.0f}"}
    answer = client.get("/api/v1/query_range", params={"query": query, **times})
    answer.raise_for_status()
    for one in answer.json()["data"]["result"]:
        points = [((float(at) - now_s) / 60, _number(value)) for at, value in one["values"]]
        if any(y is not None for _, y in points):
            yield _legend(target.get("legendFormat", ""), one["metric"]), points


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _legend(form: str, labels: Mapping[str, str]) -> str:
    filled = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), form)
    return (filled.strip() or ", ".join(labels.values()) or "value")[:MAX_LEGEND_CHARS]


def picture(dashboard: Mapping[str, Any], found: Sequence[Series]) -> str:
    num_rows = -(-len(found) // NUM_COLUMNS)
    width, height = NUM_COLUMNS * _CELL_WIDTH, num_rows * _CELL_HEIGHT + 40
    cells = zip(dashboard["panels"], found, strict=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            _text(12, 28, 20, "#111827", dashboard["title"]),
            *(_cell(place, panel, series) for place, (panel, series) in enumerate(cells)),
            "</svg>\n",
        ]
    )


def _cell(place: int, panel: Mapping[str, Any], series: Series) -> str:
    row, column = divmod(place, NUM_COLUMNS)
    x, y = column * _CELL_WIDTH + 10, row * _CELL_HEIGHT + 40
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "")
    title = f"{panel['title']} ({unit})" if unit not in ("", "short", "none") else panel["title"]
    head = _text(x, y + 16, 13, "#111827", title)
    chart = line_chart("", series, x_label="minutes", y_label=unit)
    if chart is None:
        return head + _text(x, y + 60, 12, "#9ca3af", "no data")
    size = f'x="{x}" y="{y + _HEAD}" width="{WIDTH}" height="{_CELL_HEIGHT - _HEAD - 8}"'
    placed = chart_svg(chart).replace("<svg ", f'<svg {size} preserveAspectRatio="xMinYMin" ', 1)
    return head + placed


def _text(x: int, y: int, size: int, color: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
