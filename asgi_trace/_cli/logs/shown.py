"""
Records as tools show them to people: over several lines, in the columns of a table, or in a line of
a form of its own. Each record becomes a line of JSON.

A line that is in no record passes unchanged, and so does a record in which anything is unexpected.
Memory is bounded: lines of a record that is too large pass unchanged, too.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from ..._core.lines import parse_fields
from ..._core.patterns import Pattern
from .blocked import read_blocks
from .names import ROLES
from .services import container_in, source_of_labels
from .stores import text_column
from .tables import unescaped

__all__ = ("in_lines", "of_ruby", "shown_in")

_LARGEST = 16 << 20
"""The bytes of the lines of the largest record."""

_TIMES = frozenset(ROLES["time"])

_SNIFFED = 1 << 16


class _Form(ABC):
    """One form of records: takes the lines of a log one by one, and returns lines."""

    start: re.Pattern[str]

    @abstractmethod
    def take(self, line: str) -> list[str]:
        """Return the lines that *line* completes."""

    def rest(self) -> list[str]:
        """Return the lines that were kept back, at the end."""
        return []


def shown_in(block: bytes) -> Callable[[Iterable[bytes]], Iterator[bytes]] | None:
    """Return a function that makes lines of a log that begins with *block*; None for other logs."""
    text = block[:_SNIFFED].decode("utf-8", "replace").replace("\r\n", "\n")
    for form in _FORMS:
        if form.start.search(text):
            return lambda blocks: in_lines(blocks, form())
    return None


def in_lines(blocks: Iterable[bytes], form: _Form) -> Iterator[bytes]:
    """Yield *blocks* of records in a *form*, with a line for each."""
    half = b""
    is_piece = False  # of a line that is too large
    for block in blocks:
        *lines, rest = (half + block).split(b"\n")
        made: list[str] = []
        for line in lines:
            text = line.decode("utf-8", "replace").removesuffix("\r")
            made += [text] if is_piece else form.take(text)
            is_piece = False
        half = rest
        whole = "".join(f"{line}\n" for line in made).encode("utf-8", "replace")
        if len(half) > _LARGEST:
            whole += half
            half, is_piece = b"", True
        if whole:
            yield whole
    last = [] if not half else form.take(half.decode("utf-8", "replace"))
    whole = "".join(f"{line}\n" for line in (*last, *form.rest())).encode("utf-8", "replace")
    if whole:
        yield whole


def _line(line: str, time: Any = None, source: str = "") -> str:
    """Return an envelope around a *line*."""
    return json.dumps({"timestamp": time, "line": line, "labels": {"container": source}})


# -- a record in one line --------------------------------------------------------------------------


class _OneLine(_Form):
    """
    Records that are one line each, with a text before and after the log's line: rows of an
    expression with the groups ``line``, ``time`` and ``source``, or ``json`` for a record.
    """

    row: re.Pattern[str]

    def take(self, line: str) -> list[str]:
        match = self.row.fullmatch(line)
        if match is None:
            return [line]
        groups = match.groupdict("")
        return [_line(groups["line"], groups.get("time"), groups.get("source", ""))]


class _TextOfAws(_OneLine):
    """``aws logs filter-log-events`` and ``get-log-events`` with ``--output text``."""

    start = Pattern(r"\AEVENTS\t(?:\d{20,60}\t)?\d{13}\t")
    row = Pattern(
        r"EVENTS\t(?:\d{20,60}\t\d{13}\t(?P<source>[^\t]{1,512})|\d{13})\t(?P<line>.*)\t(?P<time>\d{13})"
    )


class _ContainerApp(_OneLine):
    """
    ``az containerapp logs show``: the line, behind a mark of the runtime. The command writes quotes
    in it without their escapes (``show_containerapp_logs`` of azure-cli), and so no JSON.
    """

    start = Pattern(r"\A\{\"TimeStamp\": ?\"[^\"\n]{19,35}\", ?\"Log\": ?\"")
    row = Pattern(
        r"\{\"TimeStamp\": ?\"(?P<time>[^\"]{19,35})\", ?\"Log\": ?\"(?:F )?(?P<line>.*)\"\}"
    )
    _escaped = Pattern(r"[^\"\\]|\\.")

    def take(self, line: str) -> list[str]:
        row = self.row.fullmatch(line)
        if row is None:
            return [line]
        text = row["line"]
        # An older or a newer command may write JSON.
        if self._escaped.sub("", text):
            text = text.replace('"', '\\"')
        try:
            return [_line(json.loads(f'"{text}"'), row["time"])]
        except ValueError:
            return [line]


class _Job(_OneLine):
    """
    ``gh run view --log``: the job and the step, whose names may be any text, and the time. So it
    is no prefix: a client's text with tabs could be one, in a line of another form.
    """

    start = Pattern(r"\A[^\t\n]{1,200}\t[^\t\n]{1,200}\t\ufeff?\d{4}-\d\d-\d\dT[\d:]{8}\.\d{7}Z ")
    row = Pattern(
        r"(?P<source>[^\t]{1,200})\t[^\t]{1,200}\t\ufeff?(?P<time>\d{4}-\d\d-\d\dT[\d:]{8}\.\d{7}Z)(?: (?P<line>.*))?"
    )


class _FileOfFluentBit(_OneLine):
    """Fluent Bit's output to a file: the tag, the time, and a record of JSON."""

    start = Pattern(r"\A[\w.-]{1,200}: \[\d{10}\.\d{1,9}, \{.*\}\]$", re.MULTILINE)
    row = Pattern(r"(?P<source>[\w.-]{1,200}): \[(?P<time>\d{10}\.\d{1,9}), (?P<line>\{.*\})\]")


# The text of a line, its collector's fields before it, and those after it. Strings have no escapes:
# the fields after the text may be the client's, and nothing in them is used.
_ASIDE = r'"(?:time|stream|_p|logtag|date|source|container_id|container_name)"=>"[^"]{0,300}"'


class _Console(_OneLine):
    """Fluent Bit's standard output: the records of MessagePack."""

    start = Pattern(r"^\[\d+\] [\w./-]{1,300}: \[\[?\d{10}\.\d{9}, \{", re.MULTILINE)
    row = Pattern(
        r"\[\d+\] (?P<tag>[\w./-]{1,300}): \[\[?(?P<time>\d{10}\.\d{9}), (?:\{[^{}]*\}\], \{|\{)"
        rf'(?P<before>(?:{_ASIDE}, )*)"(?:log|message|MESSAGE)"=>"(?P<line>.*)"\}}\]'
    )
    _after = Pattern(rf"(?P<line>.*)\", {_ASIDE[:-1]}")
    _container = Pattern(r'"container_name"=>"([^"]*)"')

    def take(self, line: str) -> list[str]:
        kubernetes = line.rfind('", "kubernetes"=>{')
        match = self.row.fullmatch(line if kubernetes < 0 else f'{line[:kubernetes]}"}}]')
        if match is None:
            return [line]
        text = match["line"]
        for _ in range(8):
            shorter = self._after.fullmatch(text)
            if shorter is None:
                break
            text = shorter["line"]
        tag = match["tag"].removeprefix("kube.")
        container = self._container.search(match["before"])
        path = tag.replace(".", "/", tag.count(".") - 1) if tag.endswith(".log") else ""
        source = container[1] if container else container_in(path)
        return [_line(text.removesuffix("\\n"), match["time"], source)]


# The beginning of a line: of JSON, logfmt, a date, or any with our ids before a message.
_LINE = r"(?:\{\"|@?time(?:stamp)?=|\d{4}-|[^\"\t\n]{0,120}?\[req=)"


class _BetweenTabs(_Form):
    """
    A time, perhaps a service, and a line between tabs, as ClickHouse prints them for other programs.
    A line without an escape passes unchanged: it has this prefix.
    """

    start = Pattern(
        r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?\t(?:[\w.-]{0,200}\t|(?=" + _LINE + "))"
    )
    _row = Pattern(r"([^\t]{19,29})\t(?:([\w.-]{0,200})\t)?(.*)")

    def take(self, line: str) -> list[str]:
        row = self._row.fullmatch(line) if "\\\\" in line or "\\'" in line else None
        if row is None or self.start.match(line) is None or _is_json(row[3]):
            return [line]
        text = unescaped(row[3])
        if "\n" in text:
            return [_line(text, row[1], row[2] or "")]
        return [f"{line[: row.start(3)]}{text}"]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _WithoutNames(_Form):
    """The same between commas, in quotes."""

    start = Pattern(
        r'\A"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?",(?:"[\w.-]{0,200}",)?"' + _LINE
    )
    _row = Pattern(r'"([\d :.-]{19,29})",(?:"([\w.-]{0,200})",)?"((?:[^"]|"")*)"')

    def take(self, line: str) -> list[str]:
        row = self._row.fullmatch(line)
        return [line] if row is None else [_line(row[3].replace('""', '"'), row[1], row[2] or "")]


class _Values(_Form):
    """The same in brackets, all in one line, as ClickHouse's form Values has them."""

    start = Pattern(
        r"\A\('\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?',(?:'[\w.-]{0,200}',)?'" + _LINE
    )
    _row = Pattern(r"\('([\d :.-]{19,29})',(?:'([\w.-]{0,200})',)?'((?:[^'\\]|\\.)*)'\)(?:,|\Z)")

    def take(self, line: str) -> list[str]:
        lines: list[str] = []
        end = 0
        while end < len(line):
            row = self._row.match(line, end)
            if row is None:
                return [line]
            lines.append(_line(unescaped(row[3]), row[1], row[2] or ""))
            end = row.end()
        return lines


class _Markdown(_Form):
    """
    A table in Markdown, whose cells need not be aligned: ClickHouse's, which escapes them, the one
    that pandas writes, and those that the consoles of CloudWatch Logs Insights and Kibana copy. The
    first of these two writes the query before it.
    """

    start = Pattern(
        r"\A(?:\*\*CloudWatch Logs Insights\*\*[^\n]*\n(?:[^\n]*\n){0,200}?)?(?:---\r?\n)?"
        r"\|[^\n]{1,1000} \|\r?\n\|(?:(?::-+:?|-+:)\||(?: -+ \|))+\r?$",
        re.M,
    )
    _ruler = Pattern(r"\|(?: ?:?-+:? ?\|)+")
    _of_clickhouse = Pattern(r"\|(?:(?::-|-:)\|)+")

    def __init__(self) -> None:
        self._columns: list[str] = []
        self._text: int | None = None
        self._is_escaped = False
        self._before = ""

    def take(self, line: str) -> list[str]:
        if self._ruler.fullmatch(line):
            if not self._columns:
                names = self._before.strip("|").split("|")
                self._columns = [name.strip() for name in names]
                self._text = text_column(self._columns)
                self._is_escaped = self._of_clickhouse.fullmatch(line) is not None
            return []
        if not self._columns:
            self._before = line
            return []
        if line == "---":
            return []
        cells = self._cells(line)
        if len(cells) != len(self._columns):
            return [line]
        return [json.dumps(dict(zip(self._columns, cells, strict=True)))]

    def _cells(self, line: str) -> list[str]:
        """Return the cells of a *line*: only the one with the text may have the sign between two in it."""
        if self._text is None:
            return []
        behind = len(self._columns) - 1 - self._text
        *cells, rest = line.removeprefix("| ").removesuffix(" |").split(" | ", self._text)
        text, *others = rest.rsplit(" | ", behind) if behind else [rest]
        text = unescaped(text) if self._is_escaped else text.replace("\\|", "|").rstrip()
        return [*map(str.strip, cells), text, *map(str.strip, others)]


class _NamedBetweenTabs(_Form):
    """ClickHouse's TSKV: pairs of name and value."""

    start = Pattern(rf"\A(?:{'|'.join(ROLES['time'])})=[^\t\n]*\t(?:\w+=[^\t\n]*\t)*\w+=.*$", re.M)
    _pair = Pattern(r"(\w+)=(.*)", re.DOTALL)

    def take(self, line: str) -> list[str]:
        pairs = [self._pair.fullmatch(cell) for cell in line.split("\t")]
        if None in pairs:
            return [line]
        return [json.dumps({pair[1]: unescaped(pair[2]) for pair in pairs if pair})]


class _Pairs(_Form):
    """An envelope in logfmt: of Vector, VictoriaLogs, Alloy's ``loki.echo``, pm2 with ``--format``."""

    start = Pattern(
        r"\A(?:(?:[\w.]+=(?:\"(?:[^\"\\\n]|\\.)*\"|[^ \n\"]*) ){0,30}"
        r"(?:source_type=\w+ (?:stream=\w+ )?timestamp=|_msg=)"
        r"|timestamp=[^ \n]{8,40} app=[^ \n]+ id=\d+ type=(?:out|err|error) message="
        r"|ts=[^ \n]{8,40} (?:[\w.]+=[^ \n\"]* ){1,10}entry=\")"
    )
    _names = (
        frozenset(("message", "source_type")),
        frozenset(("_msg", "_time")),
        frozenset(("app", "id", "type", "message")),
        frozenset(("entry", "entry_timestamp")),
    )
    # pm2 7 writes the line without quotes
    _bare = Pattern(
        r"timestamp=([^ \n]{8,40}) app=([^ \n]+) id=\d+ type=(?:out|error) message=(?!\")(.*)"
    )

    def take(self, line: str) -> list[str]:
        bare = self._bare.fullmatch(line)
        if bare is not None:
            return [_line(bare[3], bare[1], bare[2])]
        fields = parse_fields(line) if "=" in line else None
        if fields is None or not any(names <= fields.keys() for names in self._names):
            return [line]
        if "app" in fields and "id" in fields:
            return [_line(str(fields["message"]), fields.get("timestamp"), str(fields["app"]))]
        if "entry" in fields:
            labels = source_of_labels(str(fields.get("labels", "")))
            return [_line(str(fields["entry"]), fields["entry_timestamp"], labels)]
        return [json.dumps(fields)]


# -- tables ----------------------------------------------------------------------------------------


# The kinds of characters (UAX #11) that programs take for two columns wide: psql and gcloud; aws; others.
_WIDE = ("WF", "WFA", "")
_SECOND = "\uffff"


def _spread(line: str, wide: str) -> str:
    """Return *line* with a character for each of its columns: :data:`_SECOND` behind one that is *wide*."""
    if line.isascii():
        return line
    from unicodedata import east_asian_width  # rare

    return "".join(
        f"{character}{_SECOND}" if east_asian_width(character) in wide else character
        for character in line
    )


class _Boxes(_Form):
    """ClickHouse's Pretty forms, the boxes of SQLite and DuckDB, and others with lines between the cells."""

    start = Pattern(r"\A\s*(?:[\u250c\u256d]\u2500.*\u252c|\u250f\u2501)")
    _names = Pattern(r" *(?:[\u250c\u256d]\u2500(.*)\u2500[\u2510\u256e]|\u2503 (.*) \u2503)")
    _row = Pattern(r" *(?:\d+\. )?\u2502(.*)\u2502")
    # DuckDB has the types of the columns below the names.
    _type = Pattern(
        r"(?:varchar|json|uuid|boolean|blob|u?int\d{1,3}|float|double|date|time|interval"
        r"|timestamp(?:_\w{1,2}| with time zone)?|(?:decimal|enum|map|struct)\(.*\))(?:\[\])*"
    )
    _border = Pattern(r" *[\u2514\u251c\u250f\u2521\u2570].*[\u2518\u2524\u2513\u2529\u256f]")

    def __init__(self) -> None:
        self._columns: list[str] = []
        self._cells: list[str] = []
        self._goes_on = False
        self._may_be_types = False

    def take(self, line: str) -> list[str]:
        names = self._names.fullmatch(line)
        if names is not None:
            cells = re.split(r"[\u252c\u2503]", names[1] or names[2])
            self._columns = [cell.strip("\u2500 ") for cell in cells]
            return self.rest()
        if self._border.fullmatch(line) or not line.strip():
            return self.rest()
        row = self._row.fullmatch(line)
        cells = [] if row is None else row[1].split("\u2502")
        # Another number of cells: one of them has such a line in it, which may be the client's.
        if not cells or len(cells) != len(self._columns):
            return [*self.rest(), line]
        if not any(self._columns):  # SQLite's are below the border
            self._columns = [cell.strip() for cell in cells]
            self._may_be_types = True
            return []
        if self._may_be_types and all(self._type.fullmatch(cell.strip()) for cell in cells):
            return []
        self._may_be_types = False
        if self._goes_on:
            self._goes_on = False
            for place, cell in enumerate(cells):
                self._add(place, cell)
            return []
        made = self.rest()
        self._cells = [""] * len(cells)
        for place, cell in enumerate(cells):
            self._add(place, cell)
        return made

    def _add(self, place: int, cell: str) -> None:
        """Add a line of a *cell*, which goes on in the next line after an arrow."""
        is_further = cell.startswith("\u21b3")
        text = cell.rstrip()
        self._goes_on |= text.endswith("\u21b4")
        text = text.removesuffix("\u21b4").rstrip()
        if is_further:
            self._cells[place] += f"\n{text.removeprefix(chr(0x21B3)).removeprefix(' ')}"
        else:
            self._cells[place] += text.removeprefix(" ")

    def rest(self) -> list[str]:
        cells, self._cells = self._cells, []
        if not cells:
            return []
        return [json.dumps(dict(zip(self._columns, cells, strict=True)))]


# The first names in a table of aws that are no time's.
_OF_AWS = ("logStreamName", "eventId", "ingestionTime")


class _Ruled(_Form):
    """
    Tables with a ruler of hyphens below the names: of psql, MySQL, SQLite, Elasticsearch's text, and
    ``aws``.

    The ruler's crosses show where each cell begins: a cell may have the sign between two in it.
    """

    start = Pattern(
        rf"\A(?:[^\n]*\n){{0,9}}?[ |]*(?:{'|'.join((*ROLES['time'], *_OF_AWS))})\b[^\n]*\n"
        r"[|+]{0,2}-+(?:[+|]|  )-"
    )
    _ruler = Pattern(r"[|+]{0,2}-+(?:(?:[+|]|  )-+)+[|+]{0,2}")
    _crosses = Pattern(r"\A\|?\+|\A\||\A|(?<=-)(?:[+|]|  )(?=-)")
    # The rest of what aws has before the names.
    _title = Pattern(r"-{10,}|[|+]{1,2}[ -].*[ -][|+]{1,2}")
    _count = Pattern(r"\(\d+ rows?\)|\d+ rows? in set.*")

    def __init__(self) -> None:
        self._columns: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._between = "|"
        self._kept = ""  # a line that may have the names

    def take(self, line: str) -> list[str]:
        line = line.rstrip()
        if self._ruler.fullmatch(line):
            starts = [match.end() for match in self._crosses.finditer(line)]
            if self._columns and len(starts) != len(self._columns):  # of another table
                return [line]
            self._starts = starts
            self._between = " " if "  " in line else "|"
            # Without a border at its end, the last cell may be longer than the ruler.
            last = len(line.rstrip("|+")) if line[-1] in "|+" else _LARGEST
            self._ends = [*(start - 1 for start in self._starts[1:]), last]
            names = [cell.strip() for cell in self._cells(self._kept)]
            # Of several tables in one document, one has the lines.
            if not self._columns and all(names) and not _TIMES.isdisjoint(names):
                self._columns = names
            return []
        if not self._columns:
            before, self._kept = self._kept, line
            return [before] if before and not self._title.fullmatch(before) else []
        cells = self._cells(line)
        if not any(cells):
            return [] if self._count.fullmatch(line) or not line else [line]
        return [json.dumps(dict(zip(self._columns, cells, strict=True)))]

    def _cells(self, line: str) -> list[str]:
        """Return the cells of a *line*; empty ones, if it has none."""
        for wide in _WIDE:
            text = _spread(line, wide)
            inner = "".join(text[start - 1 : start] for start in self._starts[1:])
            is_closed = self._ends[-1] == _LARGEST or text[self._ends[-1] :].startswith("|")
            if is_closed and not inner.strip(self._between) and len(inner) == len(self._starts) - 1:
                return [
                    text[start:end].replace(_SECOND, "").removeprefix(" ").rstrip()
                    for start, end in zip(self._starts, self._ends, strict=True)
                ]
        return [""] * len(self._starts)

    def rest(self) -> list[str]:
        return [] if self._columns or not self._kept else [self._kept]


class _Aligned(_Form):
    """gcloud with ``--format="table(…)"``: columns of fixed widths under names in capitals."""

    start = Pattern(
        r"\A(?:[A-Z][A-Z0-9_]* +){0,20}(?:TIMESTAMP|TIME) +(?:[A-Z][A-Z0-9_]* +){0,20}(?:TEXT_PAYLOAD|MESSAGE) *$",
        re.M,
    )
    _name = Pattern(r"[A-Z][A-Z0-9_]*")
    _fields: ClassVar = {"TEXT_PAYLOAD": "textPayload"}

    def __init__(self) -> None:
        self._columns: list[tuple[str, int]] = []

    def take(self, line: str) -> list[str]:
        if not self._columns:
            for match in self._name.finditer(line):
                self._columns.append((self._fields.get(match[0], match[0].lower()), match.start()))
            return []
        text = _spread(line, _WIDE[0])
        starts = [start for _, start in self._columns]
        ends = [*starts[1:], len(text)]
        # Where a cell is wider than its column, the places of all after it are unknown.
        if any(text[start - 1 : start].strip() for start in starts[1:]) or len(text) < starts[-1]:
            return [line]
        cells = [
            text[start:end].replace(_SECOND, "") for start, end in zip(starts, ends, strict=True)
        ]
        fields = {
            name: cell if name == "textPayload" else cell.rstrip()
            for (name, _), cell in zip(self._columns, cells, strict=True)
        }
        return [json.dumps(fields)]


# -- fields below each other -----------------------------------------------------------------------


class _Blocks(_Form):
    """
    A record that is a line with its number, and a line for each field: of ClickHouse's Vertical,
    MySQL's ``\\G``, psql's ``\\x``. All values of a record begin in the same column; the further lines
    of a value do not.
    """

    start = Pattern(r"\A(?:Row \d+:\n\u2500+\n|\*{10,40} 1\. row \*{10,40}\n|-\[ RECORD 1 \])")
    _number = Pattern(r"Row \d+:|\*{10,40} \d+\. row \*{10,40}|-\[ RECORD \d+ \][-+]*")
    _field = Pattern(r" *([A-Za-z_@][\w.@]*)(?::( *)| *\| )")

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._name = ""
        self._column = 0
        self._size = 0

    def take(self, line: str) -> list[str]:
        if self._number.fullmatch(line):
            return self.rest()
        if set(line) == {"\u2500"}:
            return []
        field = self._field.match(line)
        if field is not None and not self._fields:
            self._column = field.end()
        if field is not None and self._is_in_column(field):
            self._name = field[1]
            self._fields[self._name] = line[self._column :]
        elif not self._name or self._size > _LARGEST:
            return [line]
        else:
            self._fields[self._name] += f"\n{line}"
        self._size += len(line)
        return []

    def _is_in_column(self, field: re.Match[str]) -> bool:
        """Whether the value of a *field* begins in the column of all values."""
        if field.end() == len(field.string):  # an empty value has no blanks behind its name
            return True
        first = field.end() if field[2] is None else field.start(2)
        return first <= self._column <= field.end()  # the value may begin with blanks

    def rest(self) -> list[str]:
        fields, self._fields = self._fields, {}
        self._name, self._size = "", 0
        if not fields:
            return []
        # There is an empty line between two records.
        return [json.dumps({name: value.rstrip("\n") for name, value in fields.items()})]


class _Debug(_Form):
    """The ``debug`` exporter of OpenTelemetry's collector, with details."""

    start = Pattern(r"^(?:[^\n]*\t)?ResourceLog #0\nResource SchemaURL:", re.MULTILINE)
    _head = Pattern(r"(?:[^\n]*\t)?ResourceLog #\d+|ScopeLogs #\d+|LogRecord #\d+")
    _field = Pattern(r"([A-Z][A-Za-z]*(?: ID)?): ?(.*)")
    _aside = Pattern(
        r"(?:Resource|ScopeLogs) SchemaURL: |(?:Resource a|InstrumentationScope a|A)ttributes:\Z"
        r"|InstrumentationScope |\t\{"
    )
    _attribute = Pattern(r" {5}-> ([^:]{1,200}): ([A-Z][A-Za-z]*)\((.*)\)")
    _names: ClassVar = {
        "Timestamp": "Timestamp",
        "ObservedTimestamp": "ObservedTimestamp",
        "SeverityText": "SeverityText",
        "Body": "Body",
        "Trace ID": "TraceId",
        "Span ID": "SpanId",
    }

    def __init__(self) -> None:
        self._resource: dict[str, str] = {}
        self._fields: dict[str, Any] = {}
        self._name = ""
        self._is_record = False
        self._size = 0

    def take(self, line: str) -> list[str]:
        if self._name == "Body" and not self._ends(line):
            self._size += len(line)
            if self._size > _LARGEST:
                return [line]
            self._fields["Body"] += f"\n{line}"
            return []
        if self._head.fullmatch(line):
            made = self.rest()
            self._is_record = line.startswith("LogRecord")
            if "ResourceLog" in line:
                self._resource = {}
            return made
        attribute = self._attribute.fullmatch(line)
        field = self._field.fullmatch(line)
        if attribute is not None:
            holder = self._resource
            if self._is_record:
                holder = self._fields.setdefault("LogAttributes", {})
            holder[attribute[1]] = attribute[3]
        elif field is not None and self._is_record:
            self._name = field[1]
            if self._name in self._names:
                self._fields[self._names[self._name]] = field[2]
            if self._name == "Flags":
                self._is_record = False
                return self.rest()
        elif self._aside.match(line) is None:
            return [line]
        return []

    def _ends(self, line: str) -> bool:
        """Whether the body is over: it may have further lines."""
        return self._fields["Body"].endswith(")") and (
            line == "Attributes:" or line.startswith("Trace ID: ")
        )

    def rest(self) -> list[str]:
        fields, self._fields = self._fields, {}
        self._name, self._size = "", 0
        if "Body" not in fields:
            return []
        body = re.fullmatch(r"[A-Z][A-Za-z]*\((.*)\)", fields["Body"], re.DOTALL)
        observed = fields.pop("ObservedTimestamp", "")
        if fields.get("Timestamp", "1970-").startswith("1970-"):
            fields["Timestamp"] = observed
        fields["Timestamp"] = fields["Timestamp"].replace(" +0000 UTC", "Z")
        fields["Body"] = fields["Body"] if body is None else body[1]
        source = self._resource.get("service.name") or self._resource.get("k8s.container.name")
        if source:
            fields["ServiceName"] = source
        if "k8s.pod.name" in self._resource:
            fields["k8s.pod.name"] = self._resource["k8s.pod.name"]
        return [json.dumps(fields)]


class _Ansible(_Form):
    """
    The results of Ansible's tasks: a host, and an object with the lines in ``msg`` or
    ``stdout_lines``. The other lines of the play are left out; a result without lines passes unchanged.
    """

    _result = r"(?:ok|changed|failed|fatal): \[(?P<host>[\w.@:-]{1,253})(?: -> [^\]\n]{1,253})?\]"
    _config = r"(?:No config file found; using defaults|Using [^\n]{1,300} as config file)"
    start = Pattern(
        rf"\A(?:{_config}\r?\n)?\s*(?:(?:PLAY|TASK) \[[^\n]*\] \*{{3}}|{_result}(?:: [A-Z]+!)? => )"
    )
    _head = Pattern(rf"{_result}(?:: [A-Z]+!)? => (?:\(item=.{{0,1000}}?\) => )?(?P<object>\{{.*)")
    _aside = Pattern(
        rf"(?:(?:PLAY|TASK|RUNNING HANDLER|PLAY RECAP)(?: \[.*\])? \*{{3,}}|{_result}"
        rf"|{_config}|skipping: .*|[\w.@:-]{{1,253}} +: ok=\d+ +changed=\d+ .*|)"
    )

    def __init__(self) -> None:
        self._host = ""
        self._lines: list[str] = []  # of a result
        self._objects: list[str] = []  # the same without what is before the object
        self._size = 0

    def take(self, line: str) -> list[str]:
        if self._lines:
            self._lines.append(line)
            self._objects.append(line)
        else:
            head = self._head.fullmatch(line)
            if head is None:
                return [] if self._aside.fullmatch(line) else [line]
            self._host, self._lines, self._objects = head["host"], [line], [head["object"]]
        self._size += len(line)
        is_whole = line == "}" or (len(self._lines) == 1 and line.endswith("}"))
        return self.rest() if is_whole or self._size > _LARGEST else []

    def rest(self) -> list[str]:
        lines, self._lines = self._lines, []
        self._size = 0
        try:
            result = json.loads("\n".join(self._objects)) if lines else {}
        except (ValueError, RecursionError):
            return lines
        texts = [text for name, value in result.items() for text in self._texts(name, value)]
        return [_line(text, source=self._host) for text in texts] or lines

    def _texts(self, name: str, value: Any) -> Iterator[str]:
        """Yield the lines in a field of a result: Ansible reads a text that is JSON."""
        if isinstance(value, dict) and isinstance(value.get("stdout_lines"), list):
            value, name = value["stdout_lines"], "stdout_lines"
        if name != "msg" and not name.endswith("stdout_lines"):
            return
        for text in value if isinstance(value, list) else [value]:
            yield from text.splitlines() if isinstance(text, str) else (json.dumps(text),)


class _Yaml(_Form):
    """
    YAML: of gcloud, a document for each record; of ``aws``, one with all events.

    A document that is not understood passes unchanged.
    """

    start = Pattern(
        r"\A(?:---\r?\n[A-Za-z@_][\w.@/-]*:(?: |\r?\n)|(?:events|logEvents|results|entries):\r?\n *- )"
    )

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def take(self, line: str) -> list[str]:
        if line == "---":
            made = self.rest()
            self._lines.append(line)
            return made
        if self._size > _LARGEST:
            return [line]
        self._lines.append(line)
        self._size += len(line)
        if self._size > _LARGEST:
            lines, self._lines = self._lines, []
            return lines
        return []

    def rest(self) -> list[str]:
        lines, self._lines = self._lines, []
        self._size = 0
        content = lines[1:] if lines[:1] == ["---"] else lines
        if not any(content):
            return []
        try:
            return [json.dumps(read_blocks(content))]
        except ValueError:
            return lines


# -- Ruby ------------------------------------------------------------------------------------------

_RUBY_FIELD = Pattern(r'\s*"((?:[^"\\]|\\.)*)" => (.*?),?')
_RUBY_WORDS: dict[str, Any] = {"nil": None, "true": True, "false": False}
_RUBY_ESCAPES = Pattern(r"\\(e|#|u\{[0-9a-f]+\}|x[0-9A-F]{2}|a|v|0|.)")


def of_ruby(lines: Iterable[str]) -> dict[str, Any] | None:
    """
    Return the fields of an object in *lines*, as Logstash's codec ``rubydebug`` shows it; None, if
    it is anything else.
    """
    stack: list[Any] = []
    for line in lines:
        bare = line.strip()
        field = _RUBY_FIELD.fullmatch(line)
        if not stack:
            if bare != "{":
                return None
            stack.append({})
        elif bare.rstrip(",") in ("}", "]"):
            if len(stack) == 1:
                fields: dict[str, Any] = stack[0]
                return fields or None
            stack.pop()
        elif field is not None or isinstance(stack[-1], list):
            index = re.fullmatch(r"\[\d+\] (.*)", bare)
            text = field[2] if field is not None else (index[1] if index else bare).rstrip(",")
            value = _ruby_value(text)
            if isinstance(stack[-1], list):
                stack[-1].append(value)
            elif field is not None:
                stack[-1][field[1]] = value
            if text in ("{", "["):
                stack.append(value)
        else:
            return None
    return None


def _ruby_value(text: str) -> Any:
    if text in ("{", "{}"):
        return {}
    if text in ("[", "[]"):
        return []
    if text in _RUBY_WORDS:
        return _RUBY_WORDS[text]
    if not text.startswith('"'):
        return text
    return _RUBY_ESCAPES.sub(_ruby_character, text[1:-1])


def _ruby_character(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] in "ux" and len(escape) > 1:
        return chr(min(int(escape.strip("ux{}"), 16), 0x10FFFF))
    return {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "b": "\b", "f": "\f"}.get(escape, escape)


_FORMS: tuple[type[_Form], ...] = (
    _Job,
    _TextOfAws,
    _ContainerApp,
    _FileOfFluentBit,
    _Console,
    _BetweenTabs,
    _WithoutNames,
    _Values,
    _Markdown,
    _NamedBetweenTabs,
    _Pairs,
    _Boxes,
    _Ruled,
    _Aligned,
    _Blocks,
    _Debug,
    _Ansible,
    _Yaml,
)
