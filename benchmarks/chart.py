"""
The README's chart: the cost that each subject adds to a request, as an SVG image. The request in
production comes first: what a user pays.

This module draws shapes and text. Its colours are readable on a light page and on a dark one, and
it uses no font of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from .results import Results, Row
from .subjects import OURS

__all__ = ("svg",)

_WIDTH, _LINE = 760, 30
_LEFT, _RIGHT, _HEAD, _FOOT = 276, 190, 62, 44
_COUNTS, _TIMES = _WIDTH - 90, _WIDTH - 16
"""Where the columns of figures end."""

# Each has a contrast of at least 3 both to white and to the #0d1117 of a dark page.
_INK, _MARK, _OURS = "#768390", "#8b949e", "#2f81f7"

_PRODUCTION = ("production-text", "production-json")


def svg(results: Results) -> str:
    """
    Return the chart of one run: the instructions that are added to a request in production, with
    its lines, and those added to a request without lines.
    """
    panels = []
    height = 0.0
    production = [_rows(results, situation) for situation in _PRODUCTION]
    if any(production):
        rows = [row for rows in production for row in rows]
        title = "What two lines and an access line add to a request, in text and in JSON"
        panels += _panel(rows, title, results.meter, height, _linear(rows))
        height += _height(rows)
    rows = _rows(results, "request")
    title = "What is added to a request without lines; each step is ten times"
    panels += _panel(rows, title, results.meter, height, _logarithmic(rows))
    height += _height(rows)
    source = (
        f"{results.meter} and microseconds. {results.python}, {results.machine}, {results.date}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height + 30}" role="img" '
        'font-family="system-ui, sans-serif">',
        f"<title>What is added to a request: {results.meter} and microseconds</title>",
        *panels,
        _text(16, height + 16, f"{source[0].upper()}{source[1:]}", size=11),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Scale(NamedTuple):
    """The place of a number of steps on the axis, and the marked numbers."""

    x: Callable[[float], float]
    marks: list[int]


def _linear(rows: Sequence[Row]) -> _Scale:
    most = max(row.steps for row in rows)
    step = 10 ** math.floor(math.log10(most))
    width = _WIDTH - _LEFT - _RIGHT
    marks = list(range(0, math.floor(most) + 1, step))
    return _Scale(lambda steps: _LEFT + steps / most * width, marks)


def _logarithmic(rows: Sequence[Row]) -> _Scale:
    low = math.floor(math.log10(min(row.steps for row in rows)))
    high = math.log10(max(row.steps for row in rows))
    width = _WIDTH - _LEFT - _RIGHT
    marks = [10**power for power in range(low, math.floor(high) + 1)]
    return _Scale(lambda steps: _LEFT + (math.log10(steps) - low) / (high - low) * width, marks)


def _rows(results: Results, situation: str) -> list[Row]:
    rows = [row for row in results.rows if row.situation == situation and row.subject != "bare"]
    return sorted(rows, key=lambda row: row.steps)


def _height(rows: Sequence[Row]) -> float:
    return _HEAD + _LINE * len(rows) + _FOOT


def _panel(rows: Sequence[Row], title: str, meter: str, top: float, scale: _Scale) -> list[str]:
    first = top + _HEAD
    bottom = first + _LINE * len(rows)
    parts = [
        _text(16, top + 24, title, size=16, weight=600),
        _text(_COUNTS, first - 12, meter, anchor="end", size=11),
        _text(_TIMES, first - 12, "µs", anchor="end", size=11),
        *(_mark(scale.x(steps), first, bottom, steps) for steps in scale.marks),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, scale.x(row.steps), first + _LINE * (number + 0.5))
    return parts


def _mark(x: float, top: float, bottom: float, steps: int) -> str:
    line = f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{_INK}" stroke-opacity="0.35"/>'
    return line + _text(x, bottom + 16, f"{steps:,}", anchor="middle", size=11)


def _row(row: Row, x: float, y: float) -> list[str]:
    is_ours = row.subject.startswith(OURS)
    ink, mark, weight = (_OURS, _OURS, 600) if is_ours else (_INK, _MARK, 400)
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
