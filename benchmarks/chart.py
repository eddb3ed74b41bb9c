"""
The README's chart: what each subject adds to a request, as an SVG image.

Knows shapes and text. Its colours stand on a light page and on a dark one, and it uses no font of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .results import Results, Row
from .subjects import OURS

__all__ = ("svg",)

_WIDTH, _LINE = 760, 30
_LEFT, _RIGHT, _TOP, _BOTTOM = 170, 210, 52, 54

# Each has a contrast of at least 3 to white and to a dark page's #0d1117.
_INK, _GRID, _MUTED, _OURS = "#768390", "#768390", "#8b949e", "#2f81f7"


def svg(results: Results) -> str:
    """Return the chart of one run: a request's added instructions, on a scale where each step is ten times."""
    rows = [row for row in results.rows if row.situation == "request" and row.subject != "bare"]
    rows.sort(key=lambda row: row.steps)
    low = math.floor(math.log10(rows[0].steps))
    high = math.ceil(math.log10(rows[-1].steps))
    height = _TOP + _LINE * len(rows) + _BOTTOM
    bottom = _TOP + _LINE * len(rows)

    def x(count: float) -> float:
        return _LEFT + (math.log10(count) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    title = f"{results.meter.capitalize()} added to a request"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" font-size="13" '
        'font-family="system-ui, sans-serif">',
        f"<title>{escape(_summary(title, rows))}</title>",
        _text(16, 24, title, size=16, weight=600),
        *(_decade(x(10.0**power), bottom, 10**power) for power in range(low, high + 1)),
        *(part for number, row in enumerate(rows) for part in _row(row, x(row.steps), _TOP + _LINE * (number + 0.5))),
        _text(16, height - 14, f"{results.python}, {results.machine}, {results.date}; each step is ten times", size=11),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _summary(title: str, rows: Sequence[Row]) -> str:
    return f"{title}: {', '.join(f'{row.subject} {row.steps:,.0f}' for row in rows)}"


def _decade(x: float, bottom: float, count: int) -> str:
    line = f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{_GRID}" stroke-opacity="0.35"/>'
    return line + _text(x, bottom + 16, f"{count:,}", anchor="middle", size=11)


def _row(row: Row, x: float, y: float) -> list[str]:
    ours = row.subject == OURS
    colour, weight = (_OURS, 600) if ours else (_MUTED, 400)
    figures = f"{row.steps:,.0f}, {row.fastest / 1000:,.1f} µs"
    return [
        _text(_LEFT - 12, y + 4, row.subject, anchor="end", weight=weight, colour=_OURS if ours else _INK),
        f'<line x1="{_LEFT}" y1="{y}" x2="{x:.1f}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{x:.1f}" cy="{y}" r="6" fill="{colour}"/>',
        _text(x + 12, y + 4, figures, weight=weight, colour=_OURS if ours else _INK),
    ]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, weight: int = 400, colour: str = _INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
