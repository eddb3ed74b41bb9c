"""
Results as tables for a terminal, and as Markdown for the README.

This module chooses the comparisons. It measures nothing, and contains no figures itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .results import Results, Row
from .situations import SITUATIONS
from .subjects import OURS

__all__ = ("markdown", "text")


def text(results: Results) -> str:
    """Return the tables of one run, for a terminal."""
    head = f"{results.python}, asgi_trace {results.versions['asgi-trace']}, {results.machine}, {results.date}"
    parts = [head]
    if results.meter == "bytecode":
        parts.append(
            "valgrind is not installed: bytecode is counted in place of instructions, blind to what C does"
        )
    parts += [
        _situation(results, name)
        for name in SITUATIONS
        if any(row.situation == name for row in results.rows)
    ]
    parts += _per_header(results)
    if results.imports:
        lines = [
            [each.name, _count(each.fastest, 1), _count(each.median, 1), str(each.modules)]
            for each in results.imports
        ]
        parts.append("import\n" + _columns([["", "ms, fastest", "median", "modules"], *lines]))
    return "\n\n".join(parts)


def _situation(results: Results, name: str) -> str:
    situation = SITUATIONS[name]
    rows = [row for row in results.rows if row.situation == name]
    title = situation.title
    if situation.added:
        bare, *rows = rows
        title += f": added to the {_count(bare.steps)} {results.meter} and {_count(bare.fastest)} ns of the bare app"
    reference = next(
        (row for row in rows if row.subject == ("no-op" if situation.added else "bare")), None
    )
    header = [
        "",
        results.meter,
        f"x {reference.subject}" if reference else "",
        "ns, fastest",
        "median",
    ]
    held = any(row.held is not None for row in rows)
    lines = [_line(row, reference, held) for row in rows]
    return f"{title}\n{_columns([[*header, *(['bytes in flight'] if held else [])], *lines])}"


def _per_header(results: Results) -> list[str]:
    lines = []
    for many in results.rows:
        few = results.row("headers-4", many.subject)
        if many.situation == "headers-40" and few is not None and many.subject != "bare":
            lines.append(
                [
                    many.subject,
                    *(
                        _count((more - less) / 36, 1)
                        for more, less in zip(many[2:5], few[2:5], strict=True)
                    ),
                ]
            )
    header = ["", results.meter, "ns, fastest", "median"]
    return (
        [f"added by each header of the request, from 4 to 40\n{_columns([header, *lines])}"]
        if lines
        else []
    )


def _line(row: Row, reference: Row | None, held: bool) -> list[str]:
    times = _count(row.steps / reference.steps, 2) if reference else ""
    cells = [row.subject, _count(row.steps), times, _count(row.fastest), _count(row.median)]
    return [*cells, _count(row.held) if row.held is not None else ""] if held else cells


def _count(figure: float, digits: int = 0) -> str:
    return f"{figure:,.{digits}f}"


def _columns(lines: Sequence[Sequence[str]]) -> str:
    names, *numbers = zip(*lines, strict=True)
    columns = [_padded(names, str.ljust), *(_padded(column, str.rjust) for column in numbers)]
    return "\n".join("  " + "  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def _padded(column: Sequence[str], pad: Callable[[str, int], str]) -> list[str]:
    width = max(map(len, column))
    return [pad(cell, width) for cell in column]


def markdown(runs: Sequence[Results]) -> str:
    """
    Return the README's tables: requests on each version of Python, all others on the newest.
    """
    newest = runs[-1]
    shown = ("no-op", OURS, "asgi-correlation-id")
    # The subjects of these situations are ways to log; the plain shim is not among them.
    logging = [name for name in _situations(newest) if OURS not in SITUATIONS[name].subjects]
    logging = [name for name in logging if SITUATIONS[name].added and name != "spans"]
    added = [name for name in _situations(newest) if SITUATIONS[name].added and name != "request"]
    added = [name for name in added if name not in logging]
    whole = [name for name in _situations(newest) if not SITUATIONS[name].added]
    first = [
        _table(
            [f"Added by all that it logs, on {newest.python}", "", ""],
            [
                [SITUATIONS[name].title, subject, _cell(newest.row(name, subject))]
                for name in logging
                for subject in _subjects(newest, [name])
                if subject != "bare"
            ],
        )
    ]
    return "\n\n".join(
        [
            *(first if logging else []),
            _table(
                ["Added to a request", *(run.python for run in runs), "held in flight"],
                [
                    [
                        subject,
                        *(_cell(run.row("request", subject)) for run in runs),
                        _held(newest.row("request", subject)),
                    ]
                    for subject in _subjects(newest, ["request"])
                    if subject != "bare"
                ],
            ),
            _table(
                [f"Added on {newest.python}", *shown],
                [
                    [
                        SITUATIONS[name].title,
                        *(_cell(newest.row(name, subject)) for subject in shown),
                    ]
                    for name in added
                ],
            ),
            _table(
                [f"In all, on {newest.python}", "", ""],
                [
                    [SITUATIONS[name].title, subject, _cell(newest.row(name, subject))]
                    for name in whole
                    for subject in _subjects(newest, [name])
                ],
            ),
            _table(
                [f"Import on {newest.python}", "", "modules"],
                [
                    [f"`{each.name}`", f"{each.fastest:.1f} ms", str(each.modules)]
                    for each in newest.imports
                ],
            ),
            f"{_provenance(runs)}\n",
        ]
    )


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruled = [header, ["---", *("---:" for _ in header[1:])], *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ruled)


def _cell(row: Row | None) -> str:
    return f"{_count(row.steps)} / {row.fastest / 1000:.2f} µs" if row else ""


def _held(row: Row | None) -> str:
    return f"{_count(row.held)} B" if row and row.held is not None else ""


def _situations(run: Results) -> list[str]:
    return list(dict.fromkeys(row.situation for row in run.rows))


def _subjects(run: Results, situations: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(row.subject for row in run.rows if row.situation in situations))


def _provenance(runs: Sequence[Results]) -> str:
    machines = dict.fromkeys(f"{run.machine}, {run.date}" for run in runs)
    versions = dict.fromkeys(
        f"{name} {version}" for run in runs for name, version in run.versions.items()
    )
    return (
        f"Instructions by valgrind / time, the fastest of many interleaved rounds. {'; '.join(machines)}. "
        f"{', '.join(versions)}. `python -m benchmarks` measures it on yours."
    )
