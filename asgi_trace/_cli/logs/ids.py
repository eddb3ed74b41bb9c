"""
The places of ids in other programs' log lines: one row for each kind of program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..._core.patterns import Pattern
from .names import ROLES

__all__ = (
    "HEX",
    "NAMED",
    "OF_HAPROXY",
    "OF_STREAM",
    "UNIQUE",
    "UUID",
    "Ids",
    "ids_in",
    "linked_in",
)

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
HEX = r"[0-9a-fA-F]{32}"
# The unique-id-format of HAProxy's manual: addresses, ports, the time, a number and the process.
OF_HAPROXY = (
    r"[0-9A-F]{8}:[0-9A-F]{4}_[0-9A-F]{8}:[0-9A-F]{4}_[0-9A-F]{8}_[0-9A-F]{4,8}:[0-9A-F]{1,8}"
)

# Of Apache's mod_unique_id: 27 characters since its version 2.4.29, before that 24. A name of a cipher
# or a pod has no letters of both cases and digits.
UNIQUE = (
    r"(?=[\w@-]{0,26}[a-z])(?=[\w@-]{0,26}[A-Z])(?=[\w@-]{0,26}\d)"
    r"(?:[A-Za-z0-9@_-]{24}|[A-Za-z0-9@_-]{27})(?![\w@-])"
)


# The time and the stream, as "aws logs tail" shows them.
OF_STREAM = r"(?:\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:?\d\d) [\w/-]{1,200} )?"
# A text that a row needs, and the row: a regular expression with the groups ``request``,
# ``session``, ``trace``, ``span``. It is searched before a message, where there are no quotes. Behind
# the ids of the first rows is a message: a name in it counts no more than any text.
_BEFORE_MESSAGE = (
    # OpenStack: [req-UUID user project], [None req-UUID …], [req-GLOBAL req-LOCAL …]
    ("req-", Pattern(rf"\[(?:[\w-]+ )?(?P<request>req-{UUID})(?:\]| (?:[^\]]{{0,200}}\])?)")),
    # AWS Lambda
    ("Z", Pattern(rf"(?:\A|\t)(?:\[[A-Z]+\]\t)?[0-9T:.-]+Z[\t ](?P<request>{UUID})[\t ]")),
)
_IDS = (
    # Spring Boot 3: [trace-span]; Spring Cloud Sleuth: [service,trace,span]
    ("-", Pattern(r"\[(?P<trace>[0-9a-f]{32}|[0-9a-f]{16})-(?P<span>[0-9a-f]{16})\]")),
    (",", Pattern(r"\[[\w. -]*,(?P<trace>[0-9a-f]{16,32}),(?P<span>[0-9a-f]{16})(?:,\w*)?\]")),
    # AWS Lambda itself, perhaps behind a time or a level; a client may send the same name elsewhere
    (
        "RequestId:",
        Pattern(rf"(?:\A|[\tZ\]] ?|\b(?:START|END|REPORT) )RequestId: (?P<request>{UUID})"),
    ),
    # AWS API Gateway's execution log
    (") ", Pattern(rf"\A{OF_STREAM}\((?P<request>{UUID})\) ")),
    # Mojolicious: its process and level, in short only their letters, and its id of 12 characters
    (
        "] [",
        Pattern(
            r"\A(?:\[[\d-]{10} [\d:.]{14}\] |<\d>)?\[\d+\] \[(?:trace|debug|info|warn|error|fatal|[tdiwef])\] "
            r"\[(?P<request>[\w-]{12})\] "
        ),
    ),
    # chi, in a line of the program
    (
        "-",
        Pattern(
            r"\A\d{4}/\d\d/\d\d [\d:.]{8,15} (?:[\w./-]{1,100}\.go:\d{1,6}: )?"
            r"\[(?P<request>[\w.-]{1,255}/[0-9A-Za-z]{10}-\d{6,9})\] "
        ),
    ),
    # asgi-correlation-id and Rails: [hexadecimal] or [UUID], cut or whole
    (
        "[",
        Pattern(
            r"\[(?P<request>[0-9a-fA-F]{8,64}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{8,12})\]"
        ),
    ),
    # Celery, before its version 4: [task(UUID)]
    ("(", Pattern(rf"\[[\w.]{{1,200}}\((?P<request>{UUID})\)\]")),
    # loguru, with an id behind its time and level, or behind the place in the code
    (
        " | ",
        Pattern(
            r"\A[\d T:.,+Z-]{8,40} \| (?:[A-Z]{4,8} *\| )?(?:[\w.<>]{1,200}:[\w<>]{1,200}:\d{1,7} \| )?"
            rf"(?P<request>{HEX}|{UUID}) (?:\||- )"
        ),
    ),
    # the manuals of logback and log4j: between the logger and the message. A word of a message has no
    # point in it.
    (
        " - ",
        Pattern(
            r"\A\[?[\dT:., +Z/-]{8,40}\]? (?:\[[^\]]{1,100}\] )?(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL) {1,3}"
            rf"(?:[\w$]{{1,100}}\.){{1,20}}[\w$]{{1,100}} {{1,40}}(?P<request>{HEX}|{UUID}) - "
        ),
    ),
    # nginx, HAProxy and Apache, if their id comes first
    (" ", Pattern(rf"\A(?P<request>{HEX}|{UUID}|{UNIQUE}) ")),
    # Apache's error log, with the log's id behind the process, or named as in its manual
    (
        "[",
        Pattern(
            rf"\A\[[\w :.-]{{15,40}}\] (?:\[[^\] ]{{0,60}}\] |\[pid [^\] ]{{1,60}}(?: [^\] ]{{1,40}})?\] ){{0,2}}"
            rf"\[(?:R:)?(?P<request>{UNIQUE})\]"
        ),
    ),
)
# The same with a name: request_id=, [trace_id=…], X-Request-ID: …
NAMED = Pattern(
    r"\b(?:vcap_)?(x-request-id|request[-_]?id|correlation[-_]?id|req[-_]?id|trace[-_.]?id|span[-_.]?id|session[-_]?id|rid)"
    # The value of a blank behind "=" is empty: what follows has a name of its own, or none.
    r"(?:=|: ?)\"?(?!=)([\w.~+/=:@-]{1,128})(?![\w.~+/=:@-])",
    re.IGNORECASE,
)
_OF_ID = Pattern(r"[\w.~+/=:@-]")
# A path or an address, which a client may have sent: none of its parts is an id.
_ADDRESS = Pattern(r"(?:(?<![^\s=(<\[])/|\b\w{2,10}:/)\S+")
_KINDS = ("session", "trace", "span")
_WITHOUT_MARKS = str.maketrans("", "", "_-.")
# Beside the trace: of OpenTelemetry and Datadog.
_SERVICE = Pattern(r"[\[ ](?:resource\.service\.name|dd\.service)=([\w.-]{1,128})(?=[\] ])")
# At the end of a line, where Elastic's and New Relic's agents put them behind a program's own format.
_OF_AGENTS = (
    (
        "| elasticapm transaction.id=",
        Pattern(
            r"\| elasticapm transaction\.id=(?:[0-9a-f]{16}|None) trace\.id=(?P<trace>[0-9a-f]{32}) "
            r"span\.id=(?P<span>[0-9a-f]{16}|None)\Z"
        ),
    ),
    (
        "NR-LINKING|",
        Pattern(
            r"(?<!\S)NR-LINKING\|[^|\s]{0,200}\|[^|\s]{0,255}\|(?P<trace>[0-9a-f]{32})\|(?P<span>[0-9a-f]{16})?\|(?P<service>[^|\s]{0,600})\|?\Z"
        ),
    ),
)
# Writers that put all fields behind the message, where a client's text may be before them:
# structlog, logrus and zerolog on a terminal, log15, Go's slog, klog with a message in quotes. Where a
# bracket is behind the front of slog, the writer may be Log4perl, which has the same.
_FIELDS_LAST = Pattern(
    r"(?:[\d:.TZ+ -]{5,40} )?\[(?:debug {4}|info {5}|warning {2}|error {4}|critical |exception|notset {3})\] "
    r"|[\dT:.Z+-]{4,35}(?:AM|PM)? (?:TRC|DBG|INF|WRN|ERR|FTL|PNC) "
    r"|(?:TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[(?:\d{4,9}|\d{4}[-/]\d\d[-/]\d\d[T ][\d:.Z+-]{5,30})\]"
    r"|(?:TRACE|TRCE|DEBUG|DBUG|INFO|WARN|EROR|ERROR|CRIT) ?\[\d\d-\d\d\|"
    r"|\d{4}/\d\d/\d\d [\d:.]{8,15} (?:[\w./-]{1,100}\.go:\d{1,6}: )?(?:DEBUG|INFO|WARN|ERROR)(?:[+-]\d{1,3})? (?!\[)"
    r"|[IWEF]\d{4} [\d:.]{8,15} +\d{1,10} [\w./-]{1,100}:\d{1,6}\] \""
)
# A span of Rust's tracing may have fields before an id: those whose values are in quotes or a word,
# and, in the span with the id, those that have no blank.
_IN_QUOTES = r"[\w.]{1,64}=(?:\"(?:[^\"\\]|\\.)*\"|\w{1,36}(?![^ }]))"
_OF_SPAN = rf"(?:{_IN_QUOTES}|(?:http\.)?(?:uri|path|target|route|version|flavor)=(?!\w{{1,36}}[ }}])[^\s\"{{}}]+)"
_IN_SPAN = Pattern(
    r"(?:[\dT:.Z-]{20,35} +)? ?(?:TRACE|DEBUG|INFO|WARN|ERROR) +(?:[\w.:-]{1,100} +)?(?:ThreadId\(\d{1,9}\) )?"
    rf"(?:[\w:.-]{{1,100}}(?:\{{(?:[^{{}}\"/]{{0,300}}|{_IN_QUOTES}(?: {_IN_QUOTES}){{0,30}})\}})?:)?"
    rf"[\w:.-]{{1,100}}\{{(?:{_OF_SPAN} ){{0,30}}"
    r"(?:request_id|req_id|correlation_id)=(?P<quote>\"?)(?P<request>[\w.~+/=:@-]{1,128})(?P=quote)[ }]"
)
# Without the fields of a span, an id in quotes is among the fields behind the message.
_OF_RUST = Pattern(
    r"[\dT:.-]{19,34}Z +(?:TRACE|DEBUG|INFO|WARN|ERROR) (?:[\w:.-]{1,200}: ){1,2}[^ ]"
)
# The names of ids in a group of slog, such as request.id.
_OF_GROUPS = frozenset(name for name in ROLES["request"] if "." in name)
_MOST_FIELDS = 2048  # characters of them
_WORD = Pattern(
    r"([\w.-]+)=(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\"=][^\s'\"]*))(?!\S)|\S+"
)


class Ids:
    """The ids in a line, the service beside them, and the end of the last one that is in brackets."""

    __slots__ = ("end", "request", "service", "session", "span", "trace")

    def __init__(self) -> None:
        self.request = self.session = self.trace = self.span = self.service = ""
        self.end = 0


def ids_in(line: str, end: int, *, has_path: bool = False) -> Ids:
    """
    Return the ids in *line* before *end*: by their names, else in the form of a known writer.

    :param has_path: whether the line may end with a client's path.
    """
    ids = Ids()
    if _FIELDS_LAST.match(line) is not None:
        _read_last(line, ids)
        return ids
    in_span = _IN_SPAN.match(line) if "_id=" in line and "{" in line else None
    if in_span is not None:
        ids.request = in_span["request"]
        return ids
    if '_id="' in line and _OF_RUST.match(line) is not None:
        _read_last(line, ids)
        if ids.request or ids.trace:
            return ids
    if "/" in line:
        line = _ADDRESS.sub(_dashes, line)
    before_message = _placed(line, end, _BEFORE_MESSAGE)
    if before_message is not None:
        ids.request, ids.end = before_message["request"], before_message.end()
        end = ids.end
        if line.startswith("[dd.", end):  # Datadog's library puts the trace there
            end = line.find("]", end) + 1 or end
    for match in NAMED.finditer(line, 0, end):
        if match.end() == end and _OF_ID.match(line, end):  # the search ends within it
            continue
        kind = _kind(match[1])
        if not getattr(ids, kind):
            setattr(ids, kind, match[2].rstrip(":.") or match[2])
            if line.rfind("[", 0, match.start()) > line.rfind("]", 0, match.start()):
                ids.end = max(ids.end, line.find("]", match.end(), end) + 1)
    if not ids.trace and not has_path:
        linked_in(line, ids)
    elif ids.trace:
        service = _SERVICE.search(line, 0, end)
        ids.service = "" if service is None else service[1]
    if ids.request or ids.trace:
        return ids
    placed = _placed(line, end, _IDS)
    if placed is not None:
        for name, value in placed.groupdict().items():
            setattr(ids, name, value)
        ids.end = placed.end()
    return ids


def _placed(
    line: str, end: int, rows: Iterable[tuple[str, re.Pattern[str]]]
) -> re.Match[str] | None:
    """Return the match of the first of *rows* that matches in *line* before *end*."""
    for needle, row in rows:
        placed = row.search(line, 0, end) if needle in line else None
        if placed is not None:
            return placed
    return None


def _dashes(match: re.Match[str]) -> str:
    return "-" * len(match[0])


def linked_in(line: str, ids: Ids) -> Ids:
    """Return *ids* with the trace that an agent has put at the end of a *line* or a message."""
    for beginning, row in _OF_AGENTS:
        place = line.rfind(beginning)
        match = row.match(line, place) if place >= 0 else None
        if match is not None:
            from urllib.parse import unquote  # rare

            for name, value in match.groupdict("").items():
                setattr(ids, name, unquote(value))
            break
    return ids


def _kind(name: str) -> str:
    kind = name.lower().translate(_WITHOUT_MARKS).removesuffix("id")
    return kind if kind in _KINDS else "request"


def _read_last(line: str, ids: Ids) -> None:
    """Fill *ids* with those among the fields at the end of a *line*."""
    words = list(_WORD.finditer(line, max(0, len(line) - _MOST_FIELDS)))
    for word in reversed(words):
        if word[1] is None:  # the message
            return
        name = word[1] if word[1] not in _OF_GROUPS else "request_id"
        named = NAMED.fullmatch(f"{name}={word[2] or word[3] or word[4] or ''}")
        if named is not None and not getattr(ids, kind := _kind(named[1])):
            setattr(ids, kind, named[2])
