"""
The command ``asgi-trace grep``: the lines of a session or a request, out of logs of any size.

By a search in the bytes, it skips lines that cannot match, and reads the rest as ``view`` does,
with bounded memory. A line is shown unchanged; each line in a JSON document is shown as a line of
JSON.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import operator
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from itertools import chain, compress, count, islice
from typing import Any, NamedTuple

from ..._core.lines import NO_ID, escape, id_color
from ..._core.patterns import Pattern
from .envelopes import COLOR, COLORS, DOCKERS_PART, JOURNAL_BYTES
from .files import Log, distinct, drop_output, reason, refuse_terminal
from .own import JSON, LOGFMT, OWN_HEAD
from .reader import MOST_BETWEEN, LineReader, Steps, lines_of
from .records import Entry
from .services import service_of_file
from .summary import Reading, hints, summarize
from .times import Clock, read_duration, read_since, read_zone
from .wanted import has_id, is_plain, needle_of, same_session

__all__ = ("Query", "read_query", "run", "search", "search_requests", "shortcut")


# -- the conditions --------------------------------------------------------------------------------

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "": operator.eq,
}


@dataclass(frozen=True)
class Query:
    """
    The conditions for a line: ids and time are conditions for the line itself, the others for the
    access line of its request.

    *beginning* is the beginning of any id of the line. *trace* is searched before anything is
    shown, since lines of text have no trace id, and so are the *related* requests, if the beginning
    is that of a trace id. *path* and *status* return whether a path and a status match; *slower* is
    in milliseconds, *since* in seconds since the epoch, *zone* is for times without a zone. *word*
    is bytes of each access line that matches, and *codes* are its statuses.
    """

    request: str | None = None
    session: str | None = None
    since: float | None = None
    path: Callable[[str], object] | None = None
    status: Callable[[int], bool] | None = None
    slower: float | None = None
    zone: tzinfo | None = None
    word: bytes = b""
    codes: frozenset[int] = frozenset()
    beginning: str | None = None
    trace: str | None = None
    span: str | None = None
    service: str | None = None
    related: frozenset[str] = frozenset()

    @property
    def by_access_line(self) -> bool:
        """Whether the access lines must be read before anything can be shown."""
        return (self.path, self.status, self.slower) != (None, None, None)

    @property
    def is_of_lines(self) -> bool:
        """Whether it has conditions for each line, not for access lines alone."""
        conditions = (
            self.request,
            self.session,
            self.since,
            self.beginning,
            self.span,
            self.service,
        )
        return any(condition is not None for condition in conditions)

    @property
    def needle(self) -> bytes:
        """Bytes that each matching line contains; empty, if they are not known."""
        if self.related:
            return b""
        return needle_of(self.request or self.span, self.session or self.beginning)

    def wants(self, entry: Entry, service: str = "") -> bool:
        """
        Whether the ids and the time of *entry* match. An entry without a readable time is never too
        old.

        :param service: of lines that name none.
        """
        return (
            (self.request is None or (entry.request_id or NO_ID) == self.request)
            and (self.session is None or same_session(entry.session_id or NO_ID, self.session))
            and (self.since is None or entry.time >= self.since * 1000 or _is_undated(entry))
            and (
                self.beginning is None
                or has_id(entry, self.beginning)
                or entry.request_id in self.related
            )
            and (self.span is None or _has_span(entry, self.span))
            and (self.service is None or _service_of(entry, service) == self.service)
        )

    def wants_access(self, fields: dict[str, Any]) -> bool:
        """
        Whether a request matches by the *fields* of its access line; a missing field never does.
        """
        path, status, duration = (fields.get(name) for name in ("path", "status", "duration_ms"))
        return (
            (self.path is None or (path is not None and bool(self.path(path))))
            and (self.status is None or (status is not None and self.status(status)))
            and (self.slower is None or (duration is not None and duration > self.slower))
        )


def read_query(
    *,
    request: str | None = None,
    session: str | None = None,
    path: str | None = None,
    status: str | None = None,
    slower: str | None = None,
    since: str | None = None,
    trace: str | None = None,
    span: str | None = None,
    service: str | None = None,
    tz: str | None = None,
) -> Query:
    """
    Return the query of the command's options.

    :raises ValueError: with a sentence for the user, when one of them cannot be read.
    """
    zone = read_zone(tz) if tz else None
    codes = _read_status(status) if status else None
    return Query(
        request or None,
        session or None,
        read_since(since, zone) if since else None,
        _read_path(path) if path else None,
        codes,
        round(read_duration("--slower", slower) * 1000, 6) if slower else None,
        zone,
        _word_of(path or ""),
        frozenset(filter(codes, range(100, 10_000))) if codes else frozenset(),
        trace=_read_hex("--trace", trace, 32) if trace else None,
        span=_read_hex("--span", span, 16) if span else None,
        service=service or None,
    )


def _read_hex(option: str, text: str, length: int) -> str:
    """Return the id *text*, also from a ``traceparent``; of a trace, also one of AWS X-Ray."""
    parent = _TRACEPARENT.fullmatch(text)
    if length == 32 and (of_aws := _OF_AWS.fullmatch(text)) is not None:
        return of_aws[1]
    digits = text.lower() if parent is None else parent["trace" if length == 32 else "span"]
    if re.fullmatch(rf"[0-9a-f]{{{length}}}", digits) is None:
        raise ValueError(f"{option} is {text!r}; expected {length} hexadecimal digits")
    return digits


# Texts that people paste: the bracket of a line, and the header traceparent.
_BRACKET = re.compile(r"\[?req=(?P<request>[^|\]]+)\|session=(?P<session>[^|\]]+)(?:\|[^\]]*)?\]?")
_TRACEPARENT = re.compile(
    r"(?:traceparent: ?)?[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}",
    re.IGNORECASE,
)
_OF_AWS = re.compile(r"(?:[^;]*;)?(?:Root=)?(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;.*)?")
_TRACE = re.compile(r"[0-9a-f]{32}")


# Fewer characters are the beginning of too many ids.
_LEAST = 4


def _read_arguments(
    arguments: Sequence[str], conditions: Mapping[str, str | None]
) -> tuple[Query, Sequence[str]]:
    """
    Return the query and the names of the logs. Without any condition, the first argument is an id.

    :raises ValueError: as :func:`read_query`; also if there is neither a condition nor an id, and
        for an invalid id.
    """
    query = read_query(**conditions)
    if any(value for name, value in conditions.items() if name != "tz"):
        _refuse_id(arguments)
        return query, arguments
    first, files = (arguments or [""])[0], arguments[1:]
    if not first or first == "-" or os.path.exists(first):
        log = first or "app.log"
        raise ValueError(
            f"nothing to look for; expected an id before the logs, as in 'asgi-trace grep f3e2a5c4 {log}', "
            "or --session, --request, --trace, --span, --service, --path, --status, --slower or --since"
        )
    if len(first) < _LEAST or first.lower() == NO_ID:
        raise ValueError(
            f"the id is {first!r}; expected its first {_LEAST} characters or more, or one of "
            f"--session {first} and --request {first}, which compare a short id whole"
        )
    bracket = _BRACKET.fullmatch(first)
    if bracket is not None:
        request, session = bracket["request"], bracket["session"]
        if request == NO_ID:
            return replace(query, session=session), files
        return replace(query, request=request), files
    if _TRACEPARENT.fullmatch(first) is not None:
        return replace(query, trace=_read_hex("the traceparent", first, 32)), files
    return replace(query, beginning=first), files


def _refuse_id(arguments: Sequence[str]) -> None:
    """
    :raises ValueError: if the first of several logs does not exist and may be an id.
    """
    first = arguments[0] if len(arguments) > 1 else "-"
    if first != "-" and not os.path.exists(first) and first.isprintable() and "." not in first:
        raise ValueError(
            f"{first!r} is no file; with an option, an id has one too: --session {first} or --request {first}"
        )


def _has_span(entry: Entry, span: str) -> bool:
    more = entry.more or {}
    call = more.get("outgoing") or {}
    return span in (more.get("span"), more.get("inner"), call.get("call_span_id"))


def _service_of(entry: Entry, implied: str) -> str:
    more = entry.more or {}
    return more.get("service") or implied


def _is_undated(entry: Entry) -> bool:
    return entry.more is not None and "undated" in entry.more


def _read_path(text: str) -> Callable[[str], object]:
    pattern = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
    if "?" in text:
        return pattern.fullmatch
    return lambda path: pattern.fullmatch(path.partition("?")[0])


def _read_status(text: str) -> Callable[[int], bool]:
    match = re.fullmatch(r"\s*([<>!=]=?|)\s*([1-9]\d{2,3}|[1-9]xx)\s*", text, re.ASCII)
    if match is None or match[1] not in _COMPARISONS or (match[1] and "x" in match[2]):
        raise ValueError(f"--status is {text!r}; expected a status such as 404, 5xx or '>=500'")
    if "x" in match[2]:
        return lambda status: status // 100 == int(match[2][0])
    compare = _COMPARISONS[match[1]]
    return lambda status: compare(status, int(match[2]))


# -- on the bytes ----------------------------------------------------------------------------------


# The text beside a status in an access line that may have an id, of which one is enough.
_BESIDE_STATUS = b"|".join(
    (
        rb"(?= [\d.]{1,40} ?ms )",  # ours and morgan: the duration
        rb"(?= - (?:-|\d{1,20}B?)(?![^\s\"\\]))",  # or, without one, the size
        rb"(?<=[\"2] \d{3})",  # the end of the request: a quote, which JSON may write as \u0022
        rb"(?<=\d \d{3})(?= \+?\d)",  # a number on each side: HAProxy, quart
        rb"(?<=Completed \d{3})(?= )",  # Rails
        rb"(?<=Sent \d{3})(?= in )",  # Phoenix
        rb"(?= (?:\x1b\[[\d;]{1,20}m)?\|)",  # gin, in colors too; Fiber
        rb"(?= \[\d)",  # Django's runserver with daphne
        rb"(?<=\] \d{3})(?= [A-Za-z' -]{1,40} \(\d)",  # Mojolicious
    )
)
_END_OF_STATUS = rb"(?![^ \r\n\t\"\\,;|\x1b])"
# The text between the name and the value of a field of JSON or logfmt.
_EQUALS = rb"\\*\"?\s*[:=]\s*\\*\"?"
# A request without a status right after it: the status is before the request, or after a color.
_NO_STATUS_BEHIND = rb"(?<= HTTP/)(?![\d.]+\\*\" \d{3})"


class _Mark(NamedTuple):
    """
    An expression that matches in each line of some writers that may be wanted, and its first byte:
    where a block does not have it, a search for it alone takes nearly no time.
    """

    first: bytes
    pattern: re.Pattern[bytes]


@lru_cache(maxsize=4)
def _marks(codes: frozenset[int]) -> tuple[_Mark, ...]:
    """Return the marks of access lines with one of the status *codes*: each such line has one."""
    if not codes:
        return ()
    # The digits come first, and which they are last: an expression that begins with one character
    # and no choice is searched for in half of the time.
    ways = [way for digits in (3, 4) if (way := _ways(codes, digits))]
    digits = rb"[%b]\d\d\d?" % bytes({code[0] for way in ways for code in way})
    of_code = b"|".join(rb"(?<=[^\d](?:%b))" % b"|".join(way) for way in ways)
    status = rb"%b(?:%b)" % (digits, of_code)
    field = _EQUALS + status
    rows = (
        (b" ", b" %b%b(?:%b)(?:%b)" % (digits, _END_OF_STATUS, of_code, _BESIDE_STATUS)),
        (b"u", rb"u(?:(?<=tatu)s\w*|(?<=resu)ltCode)%b" % field),
        (b"_", rb"_(?<=response_)code%b" % field),
        (b"\t", rb"\t%b(?=\t)" % status),
        (b"\\", rb"\\t%b(?=\\t)" % status),  # the same in JSON
        # uWSGI has "(HTTP/1.1 500)", Squid "TCP_MISS/500 1234".
        (b"/", rb"/(?:%b|(?<=\(HTTP/)[\d.]+ %b\)|%b(?= \d))" % (_NO_STATUS_BEHIND, status, status)),
    )
    return tuple(_Mark(first, Pattern(pattern)) for first, pattern in rows)


def _ways(codes: frozenset[int], digits: int) -> list[bytes]:
    """Return expressions for those of the *codes* that have this number of *digits*."""
    step = 10 ** (digits - 1)
    ways: list[bytes] = []
    for first in range(1, 10):
        alike = sorted(codes.intersection(range(first * step, (first + 1) * step)))
        any_of_them = b"%d%b" % (first, rb"\d" * (digits - 1))
        ways += [any_of_them] if len(alike) == step else [b"%d" % code for code in alike]
    return ways


# The fields of durations, apart from those with "uration" in their names; and access lines whose
# duration may have no unit, or another one than ms.
_DURATIONS = (
    (b"c", rb"c(?<=atenc)"),
    (b"T", rb"T(?:(?<=esponseT)ime|(?<=timeT)aken)"),
    (b"_", rb"_(?:(?<=(?:request|process|esponse)_)time|(?<=total_)ns)"),
    (b"p", rb"p(?<=lap)sed"),
    (b"k", rb"k(?<=time-tak)en"),  # CloudFront, in JSON
    (b"t", rb"t(?<=connect)="),  # Heroku
    (b"\t", rb"\t(?<=\.cloudfront\.net\t)"),
    (b"\\", rb"\\(?<=\.cloudfront\.net\\)t"),  # the same in JSON
    (b"C", rb"C(?=ompleted )"),  # Rails
    (b"H", rb"H(?=TTP [A-Z])"),  # Django's runserver with daphne
    (b".", rb"\.(?<= 1\.)1 "),  # quart
    (b"%", rb"%(?<=\d\.\d\d%)"),  # PHP-FPM
    # Servers' requests; "TCP_MISS/500 1234" of Squid, the times of HAProxy, the date of gin, the path
    # of Fiber, the requests in a second of Mojolicious.
    (b"/", rb"/(?:(?<= HTTP/)|(?=\+?\d+ \d)|(?<=\d{4}/\d\d/)(?=\d\d - )|(?<=\| /)|(?=s\)))"),
)
# A number with more digits behind its point is taken for a long one.
_MOST_DECIMALS = 6


@lru_cache(maxsize=4)
def _marks_of_slow(least: float) -> tuple[_Mark, ...]:
    """
    Return the marks of access lines that may be slower than *least* milliseconds, since a number
    before its unit, or in the field of a name with "uration", has as many digits.
    """
    digits = len(str(int(least)))
    decimals = [b"", *(rb"\.\d{%d}" % count for count in range(1, _MOST_DECIMALS + 1))]
    numbers = [rb"\d{%d}%b" % (digits, some) for some in decimals]
    numbers.append(rb"\d{%d}" % (_MOST_DECIMALS + 1))
    ends = b"|".join(
        rb"(?<=%b%bm)" % (number, blank) for number in numbers for blank in (b"", b" ")
    )
    short = rb"_ms%b(?=\d)\d{0,%d}(?:\.\d+)?(?![\w.])" % (_EQUALS, digits - 1)
    rows = (
        (b"m", b"m(?=s)(?:%b)" % ends),
        (b"u", b"u(?=ration(?!%b))" % short),
        *_DURATIONS,
    )
    return tuple(_Mark(first, Pattern(pattern)) for first, pattern in rows)


def _word_of(path: str) -> bytes:
    """
    Return bytes that each line with such a path contains: its longest word, since a line may escape
    the rest.
    """
    return max(re.findall(r"[\w-]+", path, re.ASCII), key=len, default="").encode()


# At most this number of ids are searched by an expression for them; more, of at most this number of
# lengths, without one.
_FEW = 1000
_FEW_LENGTHS = 4
_LONG_REQUEST_ID = re.compile(rb'q(?<=eq)uest_?[iI]d(?:=\\*"?|\\*"\s*:\s*\\*")([\w.~+/=:@-]+)')
_ANY_REQUEST_ID = re.compile(rb"equest_?[iI]d")
_REQUEST_ID = re.compile(
    rf'req(?:=|uest_?[iI]d(?:=\\*"?|\\*"\s*:\s*\\*"))(?:{COLOR})*([\w.~+/=:@-]+)'.encode()
)


def shortcut(
    query: Query, requests: Set[str] | None, is_named: bool = True
) -> Callable[[bytes, int], int]:
    """
    Return a *find* for :func:`search`: it finds every line that may match, and perhaps others, such
    as lines with an id in the message.

    :param is_named: whether all lines of the log name their request's id as we do.
    """
    needle = query.needle
    if needle or requests is None:
        return lambda block, start: block.find(needle, start)
    if not is_named or not all(map(is_plain, requests)):
        return lambda block, start: start
    return _Finder({request_id.encode() for request_id in requests}).find


# The names of an id, from their rarest character on, and the text behind them.
_BEFORE_ID = rb'q(?:=|uest_?[iI]d(?:=\\*"?|\\*"\s*:\s*\\*"))'
# The most bytes of an id in an expression, and the fewest: fewer would find too many other ids.
_MOST_COMPARED = 64
_LEAST_COMPARED = 6


def _beginning_of(ids: Set[bytes], compared: int = 0) -> bytes:
    """
    Return an expression that matches where one of some *ids* begins, and where few others do.

    :param compared: the number of bytes that were compared before.
    """
    if len(ids) < 2:
        return re.escape(min(ids)[: max(2, _LEAST_COMPARED - compared)]) if ids else b"(?!)"
    further: dict[bytes, set[bytes]] = {}
    for request_id in ids:
        further.setdefault(request_id[:1], set()).add(request_id[1:])
    if b"" in further:  # the whole id begins another one
        return b""
    ways = (re.escape(byte) + _beginning_of(rests, compared + 1) for byte, rests in further.items())
    return b"(?:%b)" % b"|".join(ways) if len(further) > 1 else b"".join(ways)


class _Finder:
    """The places of some requests' lines in a block, which is searched once."""

    def __init__(self, ids: Set[bytes]) -> None:
        self._ids = ids
        # An expression for few ids, and one that passes over colors before them.
        self._of_few: tuple[re.Pattern[bytes], ...] = ()
        if len(ids) <= _FEW:
            beginning = _beginning_of({request_id[:_MOST_COMPARED] for request_id in ids})
            colors = b"(?:%b)*" % COLOR.encode()
            self._of_few = tuple(
                Pattern(_BEFORE_ID + between + beginning) for between in (b"", colors)
            )
        self._lengths = sorted({len(request_id) for request_id in ids})
        self._block = b""
        self._places: list[int] = []

    def find(self, block: bytes, start: int) -> int:
        if block is not self._block:
            self._block = block
            self._places = sorted(self._all(block))
        number = bisect_left(self._places, start)
        return self._places[number] if number < len(self._places) else -1

    def _all(self, block: bytes) -> list[int]:
        is_colored = b"\x1b" in block
        if self._of_few:
            return [match.start() for match in self._of_few[is_colored].finditer(block)]
        if is_colored or len(self._lengths) > _FEW_LENGTHS:
            return self._matches(_REQUEST_ID, block)
        # A fifth of the time that the expression takes.
        places = self._behind(b"req=", block.split(b"req="))
        first = _LONG_REQUEST_ID.search(block)
        if first is None:
            return places
        # All lines of a log nearly always have the same name for the id.
        name = block[first.start() - len(b"e") : first.start(1)]
        parts = block.split(name)
        times = len(parts) - 1
        if times == block.count(b"equest") or times == len(_ANY_REQUEST_ID.findall(block)):
            return places + self._behind(name, parts)
        return places + self._matches(_LONG_REQUEST_ID, block)

    def _matches(self, pattern: re.Pattern[bytes], block: bytes) -> list[int]:
        ids = self._ids
        return [match.start() for match in pattern.finditer(block) if match[1] in ids]

    def _behind(self, name: bytes, parts: list[bytes]) -> list[int]:
        """
        Return the places of *name* before one of the ids, or before text that begins like one, in a
        block that is split into *parts* by *name*.
        """
        places = []
        for length in self._lengths:
            starts = map(operator.itemgetter(slice(length)), parts)
            before = end = 0
            for number in compress(count(), map(self._ids.__contains__, starts)):
                end += sum(map(len, parts[before:number])) + len(name) * (number - before)
                before = number
                if number:
                    places.append(end - len(name))
        return places


# -- reading ---------------------------------------------------------------------------------------

# The most request ids that a search by access line keeps: some 10 MB.
_MOST_REQUESTS = 100_000


_OWN_TEXT = re.compile(OWN_HEAD.encode())
# A record of ours, which continues no record before it: in text, it has a mark of its own.
_OWN_RECORD = re.compile(
    "|".join((OWN_HEAD.replace("[-|]", "-"), JSON.pattern, LOGFMT.pattern)).encode()
)


class _Found(NamedTuple):
    """
    A line, and the time of its record: that of the line before, if it cannot be read.
    """

    when: float
    line: bytes


# A part of a line that a container's runtime has split: the searched text may be in any of them. A
# search for an expression that begins with a rare character takes less time than one for a short word.
_PART = re.compile(rb'P(?:(?<=std(?:out|err) P) |(?<="P)"|(?<=_P)ARTIAL_MESSAGE)')
# Other marks of such a part, which are looked for only where a collector's names are in some lines.
_MARKS = (b"_LINE_BREAK", b"partial_last", b"_partial")
_COLLECTORS = (b"__REALTIME_TIMESTAMP", b"container_id", b"source_type")
_LOOKED_AT = 4096


def _has_parts(block: bytes) -> bool:
    """Whether the searched text may be split over lines, so that each line must be read."""
    has_bytes = b'"' in block and JOURNAL_BYTES.search(block) is not None
    return (
        has_bytes
        or _PART.search(block) is not None
        or _has_marked_part(block)
        or _has_dockers_part(block)
    )


def _has_marked_part(block: bytes) -> bool:
    ends = block[:_LOOKED_AT] + block[-_LOOKED_AT:]
    return any(name in ends for name in _COLLECTORS) and any(mark in block for mark in _MARKS)


def _has_dockers_part(block: bytes) -> bool:
    """Whether a *block* may have a part of a line that Docker has split: it is a long line itself."""
    start = 0
    while start + DOCKERS_PART < len(block):
        end = block.rfind(b"\n", start, start + DOCKERS_PART)
        if end < 0:
            end = block.find(b"\n", start)
            if b'"log"' in block[start : end + 1 or len(block)]:
                return True
            if end < 0:
                return False
        start = end + 1
    return False


def search(
    blocks: Iterable[bytes],
    query: Query,
    requests: Set[str] | None,
    find: Callable[[bytes, int], int],
    service: str = "",
    has_parts: Callable[[bytes], bool] = _has_parts,
    written: float | None = None,
    known: Steps | None = None,
) -> Iterator[_Found]:
    """
    Yield each line whose record the *query* wants, and the unstamped lines of its traceback.

    *requests* are those that match by their access lines, None for all. *find* returns the place in
    a block, from a given place on, of a line that may match, or -1: text before it is skipped. An
    empty line is yielded after each block, since the next one may be late. *service* is for lines
    that name none; *written* is the time of the last write to the log, in seconds since the epoch.
    *known* has read some of its lines: what a prefix is may be shown by a line that is skipped here.
    """
    steps = Steps(0, Clock(query.zone, written), known)
    alone = None if query.is_of_lines else requests  # if the request alone decides
    is_wanted = False  # the record that this line belongs to
    is_line_end = True
    pending = b""  # empty lines, until their record is known
    parts: dict[tuple[str, str], bytes] = {}  # of lines, until their rest comes
    had_parts = False  # the block before
    # The sources of wanted records that a later line may continue, and the number of the last one.
    awaited: set[str] = set()
    last_awaited = 0
    when = -float("inf")
    for block in blocks:
        start = 0
        if not is_line_end:
            start = block.find(b"\n") + 1 or len(block)
            if is_wanted:
                yield _Found(when, block[:start])
        is_line_end = block.endswith(b"\n")
        was_split, had_parts = had_parts, has_parts(block)
        is_whole = not had_parts and not (was_split and parts)
        while start < len(block):
            if is_wanted and is_whole and _OWN_RECORD.match(block, start):
                is_wanted = False
            if awaited and steps.number - last_awaited > MOST_BETWEEN:
                awaited.clear()
            if not is_wanted and is_whole and not awaited:
                place = find(block, start)
                if place < 0:
                    steps.jump()
                    break
                begin = block.rfind(b"\n", start, place) + 1 or start
                if begin > start:
                    steps.jump()
                start = begin
            end = block.find(b"\n", start) + 1 or len(block)
            line = block[start:end]
            start = end
            if alone is not None and is_whole and not pending and (own := _OWN_TEXT.match(line)):
                request_id = own[2].decode("utf-8", "replace")
                is_further = own[6] == b"|"
                if is_further and steps.goes_on(request_id):
                    if is_wanted:
                        yield _Found(when, line)
                    continue
                time = None if is_further else steps.begin_own(own[1].decode(), request_id)
                if time is not None:
                    when, is_wanted = time, request_id in alone
                    if is_wanted:
                        yield _Found(when, line)
                    continue
            taken = steps.take(_text(line))
            if not taken:
                parts[steps.writer] = parts.get(steps.writer, b"") + line
                continue
            if is_wanted and not line.strip() and taken[0].entry is None:
                pending += line
                continue
            before = parts.pop(steps.writer, b"") if parts else b""
            is_shown = False
            for step in taken:
                entry = step.entry
                if entry is not None:
                    when = entry.time if entry.time >= 0 else when
                    is_wanted = (requests is None or entry.request_id in requests) and query.wants(
                        entry, service
                    )
                    source = steps.awaited_source
                    if is_wanted and source:
                        awaited.add(source)
                        last_awaited = steps.number
                    else:
                        awaited.discard(steps.source)
                is_shown = is_shown or is_wanted
            if is_shown:
                yield _Found(when, (pending if taken[0].entry is None else b"") + before + line)
            pending = b""
        yield _Found(when, b"")
    for step, part in zip(steps.rest(), parts.values(), strict=False):  # of incomplete lines
        entry = step.entry
        is_in = entry is not None and (requests is None or entry.request_id in requests)
        if entry is not None and is_in and query.wants(entry, service):
            yield _Found(when, part)
    if is_wanted and not is_line_end:
        yield _Found(when, b"\n")  # another log's line may follow


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip("\ufeff\r\n")


def search_requests(
    blocks: Iterable[bytes],
    query: Query,
    service: str = "",
    has_parts: Callable[[bytes], bool] = _has_parts,
    written: float | None = None,
    known: Steps | None = None,
) -> Iterator[str]:
    """Yield the id of each request with an access line that matches the *query*."""
    steps = Steps(0, Clock(query.zone, written), known)
    for block in blocks:
        for line in _candidates(block, query, has_parts(block)):
            steps.jump()
            for step in steps.take(_text(line)):
                entry = step.entry
                if entry is None or entry.more is None or not entry.request_id:
                    continue
                access = entry.more.get("access")
                if access is None or not query.wants_access(access):
                    continue
                if query.wants(entry, service):
                    yield entry.request_id


def search_trace(
    blocks: Iterable[bytes],
    trace: str,
    zone: tzinfo | None,
    known: Steps,
    has_parts: Callable[[bytes], bool] = _has_parts,
) -> Iterator[str]:
    """Yield the id of each request whose lines name the *trace*."""
    steps = Steps(0, Clock(zone), known)
    for block in blocks:
        end = 0
        places = _starts(block) if has_parts(block) else _places_of(block, trace.encode())
        for place in places:
            if place < end:
                continue
            start = block.rfind(b"\n", 0, place) + 1
            end = block.find(b"\n", place) + 1 or len(block)
            steps.jump()
            for step in steps.take(_text(block[start:end])):
                entry = step.entry
                if entry is not None and entry.more and entry.more.get("trace") == trace:
                    yield entry.request_id


def _candidates(block: bytes, query: Query, has_parts: bool) -> Iterator[bytes]:
    """Yield the lines of a block that may be matching access lines."""
    needle, word = query.needle, query.word
    places: Iterable[int]
    if has_parts:
        places, word, needle = _starts(block), b"", b""
    else:
        places = _places(block, query)
    end = 0
    for place in places:
        if place < end:
            continue
        start = block.rfind(b"\n", 0, place) + 1
        end = block.find(b"\n", place) + 1 or len(block)
        line = block[start:end]
        if needle in line and word in line:
            yield line


def _places(block: bytes, query: Query) -> Iterable[int]:
    """Return, in order, places in those access lines of a block that may match."""
    if query.status is not None:
        return _marked(block, _marks(query.codes))
    if query.word:
        return _places_of(block, query.word)
    if query.slower is not None:
        return _marked(block, _marks_of_slow(query.slower))
    return _starts(block)


def _marked(block: bytes, marks: Sequence[_Mark]) -> Iterable[int]:
    found = (mark.pattern.finditer(block) for mark in marks if mark.first in block)
    return sorted(match.start() for match in chain.from_iterable(found))


def _starts(block: bytes) -> Iterator[int]:
    """Yield the start of each line of a block."""
    start = 0
    while start < len(block):
        yield start
        start = block.find(b"\n", start) + 1 or len(block)


def _places_of(block: bytes, word: bytes) -> Iterator[int]:
    place = block.find(word)
    while place >= 0:
        yield place
        place = block.find(word, place + 1)


# -- samples of the logs ---------------------------------------------------------------------------

# The number of lines that are examined: the first ones of a log, and some of each later megabyte.
_FIRST_SAMPLE = 1000
_LATER_SAMPLE = 20
_MEGABYTE = 1 << 20


class _Sampled:
    """
    A log, and the kinds of some of its lines: they show how much of it can be read, and why nothing
    was found.
    """

    def __init__(self, log: Log, zone: tzinfo | None) -> None:
        self.log = log
        self.service = service_of_file(log.name)
        written = log.last_written()
        self.written = written if written < float("inf") else None
        self.reading = Reading(log.name)
        self.known = Steps(0, Clock(zone, self.written))
        self.is_named = True  # whether each line names its request's id as we do
        self.has_access = self.has_duration = False  # whether access lines were seen, and durations
        self._zone = zone
        self._is_sampled = False
        self._is_counted = sys.stderr.isatty()  # only a terminal is told the number of lines
        self._end = 0  # of the block that is being read
        self._searched = 0  # how many bytes were searched for parts of lines
        self._has_parts = False  # whether there were any

    def has_parts(self, block: bytes) -> bool:
        """
        Whether a *block* of the log has parts of lines. It is searched for them once, and what has
        been added since to a log that is written is searched, too.
        """
        if self._end <= self._searched and not self._has_parts:
            return False
        self._searched = max(self._searched, self._end)
        has_parts = _has_parts(block)
        self._has_parts |= has_parts
        return has_parts

    def lines(self) -> Iterator[bytes]:
        """Yield the blocks of the log's lines."""
        is_first, self._is_sampled = not self._is_sampled, True
        room = _FIRST_SAMPLE
        self._end = 0
        is_in_line = False  # whether the block before ended within a line
        for block in lines_of(self.log, self._zone):
            start, self._end = self._end, self._end + len(block)
            if is_first:
                if self._is_counted:
                    ends = block.count(b"\n") + (not block.endswith(b"\n"))
                    self.reading.lines += ends - is_in_line
                is_next = start // _MEGABYTE < self._end // _MEGABYTE
                size = max(room, _LATER_SAMPLE if is_next else 0)
                # Without a copy of the block.
                lines = [*islice(io.BytesIO(block), is_in_line, size)]
                room = max(0, room - len(lines))
                if lines:
                    self._sample(lines)
                is_in_line = not block.endswith(b"\n")
            yield block

    def _sample(self, lines: list[bytes]) -> None:
        reader = LineReader(zone=self._zone, reading=self.reading, known=self.known)
        texts = [_text(line) for line in lines if line != b"\n"]
        self.reading.looked_at += len(texts)
        whole = "".join(f"{text}\n" for text in texts)
        entries = reader.read_text(whole, texts) + reader.finish()
        for entry in entries:
            if entry.more is not None and "access" in entry.more:
                self.has_access = True
                self.has_duration |= "duration_ms" in entry.more["access"]
        if self.is_named and self.reading.has_ids:
            self.is_named = self._are_named(lines, entries)

    def _are_named(self, lines: Sequence[bytes], entries: Iterable[Entry]) -> bool:
        """Whether each of *lines*, with these *entries*, names its request's id as we do."""
        found = [_REQUEST_ID.findall(line) for line in lines]
        named = {request_id.decode() for ids in found for request_id in ids}
        if any(map(is_plain, {entry.request_id for entry in entries} - named - {""})):
            return False
        # A server's line may have, without a name, the id that a line of ours names.
        others = [_text(line) for line, ids in zip(lines, found, strict=True) if not ids]
        reader = LineReader(zone=self._zone, known=self.known)
        unnamed = reader.read_text("".join(f"{text}\n" for text in others), others)
        unnamed += reader.finish()
        return not any(entry.request_id and is_plain(entry.request_id) for entry in unnamed)


def _complain(sentence: str) -> None:
    print(f"asgi-trace grep: {sentence}", file=sys.stderr)


# -- showing ---------------------------------------------------------------------------------------

_IDS = re.compile(
    r'(\[req=|\|session=|\b(?:request|session)_id=|"(?:request|session)_id": ?")([^|\]" ]+)'
)


def _colored(match: re.Match[str]) -> str:
    name, value = match.groups()
    return match[0] if value == NO_ID else f"{name}{id_color(value)}{value}\x1b[0m"


def _for_terminal(line: bytes, in_color: bool) -> bytes:
    """
    Return the line with each id in its color, and without bytes that control the terminal.
    """
    end = "\n" if line.endswith(b"\n") else ""
    text = COLORS.sub("", line.decode("utf-8", "replace").rstrip("\r\n"))
    if not text.isprintable():
        text = "".join(character if character == "\t" else escape(character) for character in text)
    if in_color:
        text = _IDS.sub(_colored, text, count=2)
    return f"{text}{end}".encode("utf-8", "backslashreplace")


def _write(lines: Iterable[_Found]) -> bool:
    """Write *lines* to standard output, and return whether there was one."""
    out = sys.stdout.buffer
    is_terminal = sys.stdout.isatty()
    in_color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    is_any = False
    for match in lines:
        if not match.line:
            out.flush()
            continue
        is_any = True
        out.write(_for_terminal(match.line, in_color) if is_terminal else match.line)
    out.flush()
    return is_any


# -- the command -----------------------------------------------------------------------------------

# A block is searched several times: the bytes of one, and a copy of it, are in a core's own cache.
_BLOCK = 1 << 18


def run(arguments: Sequence[str], **conditions: str | None) -> int:
    """
    Write the lines of logs that meet all *conditions*, those of :func:`read_query`, and return the
    exit code.

    The *arguments* are the names of the logs; without a condition, the first characters of an id
    come before them. ``-``, or no file, is standard input. 0: there was such a line; 1: there was
    none; 2: an error.
    """
    try:
        query, files = _read_arguments(arguments, conditions)
        if not files:
            refuse_terminal("grep f3e2a5c4")
    except ValueError as error:
        _complain(str(error))
        return 2
    # The order of lines of the same second: a rotated log comes before the one that continues it.
    logs = sorted(
        (Log(name, _complain, _BLOCK) for name in distinct(files) or ("-",)), key=Log.last_written
    )
    sampled = [_Sampled(log, query.zone) for log in logs]
    with contextlib.ExitStack() as spools:
        requests = None
        if query.by_access_line or query.trace:
            for log in logs:
                if not log.can_be_read_again():
                    from tempfile import TemporaryFile  # a pipe is rare, and its import is slow

                    log.spool(spools.enter_context(TemporaryFile()))
        if query.trace:
            requests = _requests_of(query.trace, sampled, query.zone)
        elif query.beginning and _TRACE.fullmatch(query.beginning):
            query = _with_trace(query, sampled)
        if query.by_access_line:
            among = _requests_wanted(sampled, query)
            requests = among if requests is None else among & requests
        matches = (
            search(
                sample.lines(),
                query,
                requests,
                shortcut(query, requests, sample.is_named),
                sample.service,
                sample.has_parts,
                sample.written,
                sample.known,
            )
            for sample in sampled
        )
        try:
            is_any = _write(heapq.merge(*matches, key=operator.attrgetter("when")))
        except BrokenPipeError:
            raise
        except OSError as error:  # of the output: errors of a log are reported by the log
            _complain(f"standard output: {reason(error)}")
            drop_output()
            return 2
    _say_what_was_read(sampled, query, is_any)
    return 2 if any(log.failed for log in logs) else 0 if is_any else 1


def _say_what_was_read(logs: Sequence[_Sampled], query: Query, is_any: bool) -> None:
    readings = [log.reading for log in logs]
    if not is_any:
        for sentence in [*_missing_access_lines(logs, query), *hints(readings)]:
            _complain(sentence)
    if sys.stderr.isatty():
        _complain(summarize(readings, query.zone))


def _missing_access_lines(logs: Sequence[_Sampled], query: Query) -> Iterator[str]:
    """Yield a sentence, if *query* needs lines that none of the *logs* seems to have."""
    if not query.by_access_line or not any(log.reading.has_ids for log in logs):
        return
    if not any(log.has_access for log in logs):
        yield (
            "no access line was seen; --path, --status and --slower need one for each request: "
            "access_log=True or ASGI_TRACE_ACCESS_LOG=1 writes it, and so does hypercorn --access-logfile -"
        )
    elif query.slower is not None and not any(log.has_duration for log in logs):
        yield (
            "no access line with a duration was seen, which --slower needs; "
            "access_log=True or ASGI_TRACE_ACCESS_LOG=1 writes it"
        )


def _requests_of(trace: str, logs: Sequence[_Sampled], zone: tzinfo | None) -> set[str]:
    """Return the ids of the requests of a *trace*; its id may be that of its first request, too."""
    requests = {trace}
    for log in logs:
        for request_id in search_trace(log.lines(), trace, zone, log.known, log.has_parts):
            if len(requests) < _MOST_REQUESTS:
                requests.add(request_id)
    return requests


def _with_trace(query: Query, logs: Sequence[_Sampled]) -> Query:
    """Return *query*, whose beginning is a trace's id, with the requests of that trace."""
    if query.beginning is None or not all(sample.log.can_be_read_again() for sample in logs):
        return query
    requests = _requests_of(query.beginning, logs, query.zone) - {query.beginning, ""}
    return replace(query, related=frozenset(requests))


def _requests_wanted(logs: Sequence[_Sampled], query: Query) -> set[str]:
    requests: set[str] = set()
    for log in logs:
        request_ids = search_requests(
            log.lines(), query, log.service, log.has_parts, log.written, log.known
        )
        for request_id in request_ids:
            if len(requests) == _MOST_REQUESTS and request_id not in requests:
                _complain(
                    f"more than {_MOST_REQUESTS} requests match; shown are the first, narrow the search with --since"
                )
                return requests
            requests.add(request_id)
    return requests
