"""
Tables of values separated by commas, semicolons, tabs or bars, as log stores export them: each row
becomes an object of JSON.

The first line of a table has the names of its columns, with one for the line and one for its time;
PostgreSQL's csvlog has no such line, and always the same columns. Memory is bounded: a row that is too
large is left out.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from ..._core.patterns import Pattern
from .names import CONTAINERS, RAW, ROLES, TEXTS
from .stores import TYPE, has_text_last

__all__ = ("is_table", "rows", "unescaped")

_LARGEST = 16 << 20
"""The bytes of the largest row that is read."""

# The names of columns that stores show to people, and the names of the same fields in JSON.
_COLUMNS = {
    # Grafana: the time in nanoseconds has a zone, the other one has none
    "tsNs": "timestamp",
    "Time": "time",
    "Line": "line",
    # Datadog
    "Date": "date",
    "Service": "service",
    "Status": "status",
    "Message": "message",
    "Content": "message",
    # gcloud, with --format=csv(textPayload)
    "text_payload": "textPayload",
}
_TIMES = frozenset(ROLES["time"])
_TEXTS = frozenset(TEXTS)
_OBJECTS = CONTAINERS - _TEXTS

# Azure writes the zone of a time into the name of its column.
_ZONES = {" [UTC]": " UTC", " [Local Time]": ""}
_NAME = r'(?:[\w@$#.:/ \[\]-]{1,100}|"[\w@$#.:/ \[\]-]{1,100}")'
# The numbers of the rows have no name: pandas writes them first, unless it is told not to.
_HEADER = Pattern(
    rf"(?:{_NAME})?(?:(?P<separator>[,;\t|]){_NAME}(?:(?P=separator){_NAME}){{0,500}})\Z"
)
_LONGEST_HEADER = 1 << 16
_MARK = "\ufeff"


def is_table(block: bytes) -> bool:
    """Whether the first line of *block* is the header of a table of log lines."""
    return _separator(_first_line(block)) is not None


def _first_line(block: bytes) -> str:
    """Return the first line of *block*, the header of a table; that of a table that has none, if known."""
    line = block[:_LONGEST_HEADER].partition(b"\n")[0]
    header = line.decode("utf-8", "replace").lstrip(_MARK).rstrip("\r")
    return header if _OF_POSTGRESQL.match(header) is None else _POSTGRESQL


# A row of PostgreSQL's csvlog, and the columns of its manual with the names of its jsonlog.
_OF_POSTGRESQL = Pattern(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^,\"]{1,6}(?:,(?:\"[^\"]*\")?){2},\d{1,10},(?:\"[^\"]*\")?"
    r",[0-9a-f]{1,16}\.[0-9a-f]{1,8},\d{1,20},"
)
_POSTGRESQL = (
    "timestamp,user,dbname,pid,remote_host,session_id,line_num,ps,session_start,vxid,txid,"
    "error_severity,state_code,message,detail,hint,internal_query,internal_position,context,statement,"
    "cursor_position,func_name,application_name,backend_type,leader_pid,query_id"
)


def _separator(header: str) -> str | None:
    """Return the character between the columns; None, if *header* is no header."""
    match = _HEADER.match(header)
    if match is None:
        return None
    names = {name for name, _ in _columns(header, match["separator"])}
    if match["separator"] == "|":
        return "|" if has_text_last(header.split("|")) else None
    has_line = any(names.issuperset(row) for row in RAW) or not _TEXTS.isdisjoint(
        name.rpartition(".")[2] if name.partition(".")[0] in CONTAINERS else name for name in names
    )
    return match["separator"] if has_line and not names.isdisjoint(_TIMES) else None


def _columns(header: str, separator: str) -> list[tuple[str, str]]:
    """Return the names of the columns, and the zone of the times in each."""
    columns = []
    for name in _cells(header, separator):
        ending = next(filter(name.endswith, _ZONES), "")
        bare = name.removesuffix(ending)
        columns.append((_COLUMNS.get(bare, bare), _ZONES.get(ending, "")))
    return columns


def _cells(row: str, separator: str, most: int = -1) -> list[str]:
    if separator == "|":
        return row.split("|", most)
    if separator == "\t":
        return [_ESCAPED.sub(_character, cell) for cell in row.split(separator)]
    return next(csv.reader([row], delimiter=separator), [])


# Between tabs there are no quotes, and ClickHouse escapes a line feed, a tab and others.
_ESCAPED = Pattern(r"\\([\\'btnrf0])")
_CHARACTERS = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "f": "\f", "0": ""}


def _character(match: re.Match[str]) -> str:
    return _CHARACTERS.get(match[1], match[1])


def unescaped(text: str) -> str:
    """Return a *text* that ClickHouse has escaped between tabs."""
    return _ESCAPED.sub(_character, text)


def rows(blocks: Iterable[bytes], complain: Callable[[str], object]) -> Iterator[bytes]:
    """
    Yield *blocks* of a table with a line of JSON for each row.

    :param complain: is given a sentence, if a row is too large to be read.
    """
    # A cell may be as long as a row: the limit of the module is 128 KB.
    csv.field_size_limit(_LARGEST)
    iterator = iter(blocks)
    first = next(iterator, b"")
    header = _first_line(first)
    separator = _separator(header) or ","
    columns = _columns(header, separator)
    has_quotes = separator not in "\t|"
    for lines in _whole_rows(chain((first,), iterator), has_quotes, complain):
        lines[0] = lines[0].removeprefix(_MARK)
        # Several exports in one file have a header each.
        objects = [
            json.dumps(_row(columns, line, separator))
            for line in lines
            if line and line != header and _NO_ROW.match(line) is None
        ]
        if objects:
            yield "".join(f"{record}\n" for record in objects).encode()


# The second row of ClickHouse's CSVWithNamesAndTypes and TabSeparatedWithNamesAndTypes; and what psql
# writes at the end.
_CELL = rf"\"?{TYPE}[^\t\"\n]*\"?"
_NO_ROW = Pattern(rf"(?:{_CELL}(?:[,\t]{_CELL})+|\(\d+ rows?\))\Z")


def _whole_rows(
    blocks: Iterable[bytes], has_quotes: bool, complain: Callable[[str], object]
) -> Iterator[list[str]]:
    """
    Yield the rows of each block. A cell in quotes may have line feeds in it: where a table *has
    quotes*, a row is whole if the number of them is even.
    """
    row: list[bytes] = []
    size = 0
    in_cell = False
    for block in blocks:
        *lines, rest = block.split(b"\n")
        whole: list[str] = []
        for line in lines:
            in_cell ^= has_quotes and line.count(b'"') % 2 == 1
            size += len(line) + 1
            if size <= _LARGEST:
                row.append(line)
            if in_cell:
                continue
            if size <= _LARGEST:
                whole.append(_text(row))
            else:
                complain(_TOO_LARGE)
            row, size = [], 0
        # The last line of a log, or a piece of a line that is too large.
        if rest:
            in_cell ^= has_quotes and rest.count(b'"') % 2 == 1
            size += len(rest)
            if size <= _LARGEST:
                row.append(rest)
        if whole:
            yield whole
    if size > _LARGEST:
        complain(_TOO_LARGE)
    elif row:
        yield [_text(row)]


_TOO_LARGE = f"a row of more than {_LARGEST >> 20} MB is not read"


def _text(lines: list[bytes]) -> str:
    text = b"\n".join(lines).decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\r")
    # The module refuses a carriage return outside of quotes, and before 3.11 a NUL.
    return text.replace("\r", " ").replace("\0", "")


def _row(columns: Sequence[tuple[str, str]], line: str, separator: str) -> Any:
    """Return the fields of a row; of a *line* that is none, the text."""
    try:
        cells = _cells(line, separator, len(columns) - 1)
    except csv.Error:  # a quote at a place where a cell has none
        return line
    if separator == "|" and len(cells) < len(columns):  # the text goes on
        return line
    return _fields(columns, cells)


def _fields(columns: Sequence[tuple[str, str]], cells: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a row; ``jsonPayload.message`` is the field of an object."""
    fields: dict[str, Any] = {}
    for (column, zone), cell in zip(columns, cells, strict=False):
        if not cell or not column:
            continue
        cell += zone
        holder, _, name = column.partition(".")
        if name and holder in CONTAINERS:
            fields.setdefault(holder, {})
            if isinstance(fields[holder], dict):
                fields[holder][name] = cell
        else:
            fields[column] = _labels(cell) if column in _OBJECTS else cell
    further = [cell for cell in cells[len(columns) :] if cell]
    if further:
        fields["further_cells"] = further
    return fields


def _labels(cell: str) -> Any:
    """Return the object in a *cell*, such as the labels of Loki; else the cell."""
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return value if isinstance(value, dict) else cell
