"""A chart as an SVG file of its own."""

from html import escape

from plaudit.report.charts import Chart

COLORS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4b5563")
_LEGEND_ROW = 18


def chart_svg(chart: Chart) -> str:
    """Lines only."""
    height = chart.height + _LEGEND_ROW * ((len(chart.legend) + 3) // 4)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {chart.width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{chart.width}" height="{height}" fill="white"/>',
    ]
    for tick in chart.y_ticks:
        parts.append(_rule(chart.left, tick.at, chart.right, tick.at))
        parts.append(_text(chart.left - 6, tick.at + 4, tick.label, "end"))
    for tick in chart.x_ticks:
        parts.append(_text(tick.at, chart.bottom + 14, tick.label, "middle"))
    parts.append(_text((chart.left + chart.right) / 2, chart.bottom + 28, chart.x_label, "middle"))
    for line in chart.lines:
        color = COLORS[line.color % len(COLORS)]
        parts += [
            f'<polyline points="{piece}" fill="none" stroke="{color}" stroke-width="1.5"/>'
            for piece in line.pieces
        ]
    for place, (name, number) in enumerate(chart.legend):
        row, column = divmod(place, 4)
        x, y = chart.left + column * 145, chart.height + _LEGEND_ROW * row + 10
        color = COLORS[number % len(COLORS)]
        parts.append(f'<rect x="{x}" y="{y - 8}" width="10" height="3" fill="{color}"/>')
        parts.append(_text(x + 14, y, name, "start"))
    return "\n".join([*parts, "</svg>\n"])


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#e5e7eb"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#374151">{escape(text)}</text>'
