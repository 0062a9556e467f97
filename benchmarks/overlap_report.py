"""The table and the plot of overlap.py."""

import os
from html import escape

from overlap_cells import ASYNC, GROUPS_PER_STEP, SYNC, TRL, WAYS, Results

WIDTH, HEIGHT = 680, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 44, 40
COLORS = {SYNC: "#93b4f5", ASYNC: "#2563eb", TRL: "#d97706"}
INK, SOFT, RULE = "#1d2430", "#667085", "#d9dee5"


def latencies(results: Results) -> list[float]:
    return sorted({latency_s for _, latency_s in results})


def markdown(results: Results) -> str:
    """Groups per second, and in brackets the share of the same way's throughput at 0 s."""
    rows = [
        ["latency", *WAYS, "async / TRL", "sync / TRL", "async / limit"],
        ["---", *["---:"] * 6],
    ]
    limit = limit_of(results)
    for latency_s in latencies(results):
        rate = {way: results[way, latency_s].groups_per_s for way in WAYS}
        rows.append(
            [
                f"{latency_s:g} s",
                *(_with_share(results, way, latency_s) for way in WAYS),
                f"{rate[ASYNC] / rate[TRL]:.2f}",
                f"{rate[SYNC] / rate[TRL]:.2f}",
                "-" if limit is None else f"{rate[ASYNC] / limit:.2f}",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _with_share(results: Results, way: str, latency_s: float) -> str:
    rate = results[way, latency_s].groups_per_s
    own = results.get((way, 0.0))
    return f"{rate:.1f}" if own is None else f"{rate:.1f} ({rate / own.groups_per_s:.0%})"


def limits(results: Results) -> dict[str, float]:
    """Groups per second that no schedule on this machine can exceed; empty without 0 s cells."""
    sync, overlapped = results.get((SYNC, 0.0)), results.get((ASYNC, 0.0))
    if sync is None or overlapped is None:
        return {}
    cpu_s = min(sync.cpu_per_group_s, overlapped.cpu_per_group_s)
    return {
        "training that never waits": GROUPS_PER_STEP / sync.work_s,
        "cores that never idle": len(os.sched_getaffinity(0)) / cpu_s,
    }


def limit_of(results: Results) -> float | None:
    return min(limits(results).values(), default=None)


def summary(results: Results) -> str:
    """Where the limit comes from."""
    found = limits(results)
    if not found:
        return "No limit: the cells at 0 s were not run."
    listed = ", ".join(f"{name} {rate:.1f}" for name, rate in found.items())
    sync, overlapped = results[SYNC, 0.0], results[ASYNC, 0.0]
    return (
        f"The limit is the smaller of (groups/s): {listed}. At 0 s a synchronous step is "
        f"{sync.wait_s:.2f} s of rollouts with rewards, then {sync.work_s:.2f} s of training; in "
        f"an asynchronous one the learner waits {overlapped.wait_s:.2f} s and works "
        f"{overlapped.work_s:.2f} s, beside the engine and the services on the same cores."
    )


def bars_svg(results: Results) -> str:
    """Groups per second by latency, a bar for each way; a dashed line at the limit."""
    limit = limit_of(results)
    highest = max([f.groups_per_s for f in results.values()] + ([limit] if limit else []))
    parts = [*_axis(highest), *_bars(results, highest), *_legend(limit is not None)]
    if limit is not None:
        y = _y(limit, highest)
        parts.append(_line(y, INK, ' stroke-dasharray="6 4"'))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12">'
    )
    paper = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fdfdfb"/>'
    return "\n".join([head, paper, *parts, "</svg>"]) + "\n"


def _axis(highest: float) -> list[str]:
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 1e9) if highest / s <= 7)
    parts = []
    for index in range(int(highest / step) + 1):
        y = _y(index * step, highest)
        parts.append(_line(y, RULE))
        parts.append(_text(LEFT - 6, y + 4, f"{index * step:g}", "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "latency of the reward", "middle"))
    middle = -(TOP + HEIGHT - BOTTOM) / 2
    turned = _text(middle, 12, "groups/s", "middle")
    return [*parts, turned.replace("<text", '<text transform="rotate(-90)"')]


def _bars(results: Results, highest: float) -> list[str]:
    parts = []
    slot = (WIDTH - LEFT - RIGHT) / len(latencies(results))
    width = slot * 0.8 / len(WAYS)
    for column, latency_s in enumerate(latencies(results)):
        start = LEFT + slot * (column + 0.1)
        for number, way in enumerate(WAYS):
            rate = results[way, latency_s].groups_per_s
            x, y = start + number * width, _y(rate, highest)
            height = HEIGHT - BOTTOM - y
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{height:.1f}" '
                f'fill="{COLORS[way]}"/>'
            )
            parts.append(_text(x + width / 2 - 1, y - 4, f"{rate:.1f}", "middle"))
        middle = LEFT + slot * (column + 0.5)
        parts.append(_text(middle, HEIGHT - BOTTOM + 15, f"{latency_s:g} s", "middle"))
    return parts


def _legend(has_limit: bool) -> list[str]:
    parts = []
    for number, way in enumerate(WAYS):
        x = LEFT + number * 175
        parts.append(f'<rect x="{x}" y="8" width="11" height="11" fill="{COLORS[way]}"/>')
        parts.append(_text(x + 16, 18, way, "start"))
    if has_limit:
        x = LEFT + 3 * 175 - 30
        parts.append(
            f'<line x1="{x}" x2="{x + 22}" y1="14" y2="14" stroke="{INK}" stroke-dasharray="6 4"/>'
        )
        parts.append(_text(x + 28, 18, "limit", "start"))
    return parts


def _y(value: float, highest: float) -> float:
    return round(HEIGHT - BOTTOM - value / highest * (HEIGHT - BOTTOM - TOP), 1)


def _line(y: float, color: str, style: str = "") -> str:
    return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{color}"{style}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{SOFT}">{escape(text)}</text>'
    )
