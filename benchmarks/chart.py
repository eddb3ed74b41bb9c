"""
The README's chart: the cost that each subject adds to a request, as an SVG image.

This module draws shapes and text. Its colours are readable on a light page and on a dark one, and
it uses no font of its own.
"""

from __future__ import annotations

import math
from html import escape

from .results import Results, Row
from .subjects import OURS

__all__ = ("svg",)

_WIDTH, _LINE = 760, 30
_LEFT, _RIGHT, _TOP, _BOTTOM = 170, 190, 62, 54
_COUNTS, _TIMES = _WIDTH - 90, _WIDTH - 16
"""Where the columns of figures end."""

# Each has a contrast of at least 3 both to white and to the #0d1117 of a dark page.
_INK, _MARK, _OURS = "#768390", "#8b949e", "#2f81f7"


def svg(results: Results) -> str:
    """
    Return the chart of one run: a request's added instructions, on a scale where each step is ten
    times.
    """
    rows = [row for row in results.rows if row.situation == "request" and row.subject != "bare"]
    rows.sort(key=lambda row: row.steps)
    low = math.floor(math.log10(rows[0].steps))
    high = math.log10(rows[-1].steps)
    bottom = _TOP + _LINE * len(rows)

    def x(steps: float) -> float:
        return _LEFT + (math.log10(steps) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    title = f"What is added to a request: {results.meter} and microseconds"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + _BOTTOM}" role="img" '
        'font-family="system-ui, sans-serif">',
        f"<title>{escape(title)}</title>",
        _text(16, 24, title, size=16, weight=600),
        _text(_COUNTS, _TOP - 12, results.meter, anchor="end", size=11),
        _text(_TIMES, _TOP - 12, "µs", anchor="end", size=11),
        *(_decade(x(10.0**power), bottom, 10**power) for power in range(low, math.floor(high) + 1)),
        *(
            part
            for number, row in enumerate(rows)
            for part in _row(row, x(row.steps), _TOP + _LINE * (number + 0.5))
        ),
        _text(
            16,
            bottom + _BOTTOM - 14,
            f"Each step is ten times. {results.python}, {results.machine}, {results.date}",
            size=11,
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _decade(x: float, bottom: float, steps: int) -> str:
    line = f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{_INK}" stroke-opacity="0.35"/>'
    return line + _text(x, bottom + 16, f"{steps:,}", anchor="middle", size=11)


def _row(row: Row, x: float, y: float) -> list[str]:
    ink, mark, weight = (_OURS, _OURS, 600) if row.subject == OURS else (_INK, _MARK, 400)
    return [
        _text(_LEFT - 12, y + 4, row.subject, anchor="end", weight=weight, ink=ink),
        f'<line x1="{_LEFT}" y1="{y}" x2="{x:.1f}" y2="{y}" stroke="{mark}" stroke-width="2"/>',
        f'<circle cx="{x:.1f}" cy="{y}" r="6" fill="{mark}"/>',
        _text(_COUNTS, y + 4, f"{row.steps:,.0f}", anchor="end", weight=weight, ink=ink),
        _text(_TIMES, y + 4, f"{row.fastest / 1000:,.1f}", anchor="end", weight=weight, ink=ink),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: int = 400,
    ink: str = _INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
