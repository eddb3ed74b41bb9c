"""
The places in the bytes of a log where a line may be that ``asgi-trace grep`` wants.

Each search may return a line too many, which is read then, but never one too few.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import lru_cache
from itertools import chain, compress, count
from typing import NamedTuple

from ..._core.patterns import Pattern
from .colors import COLOR
from .objects import DOCKERS_PART, JOURNAL_BYTES
from .query import Query
from .wanted import is_plain

__all__ = ("REQUEST_ID", "candidates", "line_starts", "may_be_split", "places_of", "shortcut")

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


# At most this number of ids are searched by an expression for them; more, of at most this number of
# lengths, without one.
_FEW = 1000
_FEW_LENGTHS = 4
_LONG_REQUEST_ID = re.compile(rb'q(?<=eq)uest_?[iI]d(?:=\\*"?|\\*"\s*:\s*\\*")([\w.~+/=:@-]+)')
_ANY_REQUEST_ID = re.compile(rb"equest_?[iI]d")
REQUEST_ID = re.compile(
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
            return self._matches(REQUEST_ID, block)
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


# A part of a line that a container's runtime has split: the searched text may be in any of them. A
# search for an expression that begins with a rare character takes less time than one for a short word.
_PART = re.compile(rb'P(?:(?<=std(?:out|err) P) |(?<="P)"|(?<=_P)ARTIAL_MESSAGE)')
# Other marks of such a part, which are looked for only where a collector's names are in some lines.
_MARKS = (b"_LINE_BREAK", b"partial_last", b"_partial")
_COLLECTORS = (b"__REALTIME_TIMESTAMP", b"container_id", b"source_type")
_LOOKED_AT = 4096


def may_be_split(block: bytes) -> bool:
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


def candidates(block: bytes, query: Query, has_parts: bool) -> Iterator[bytes]:
    """Yield the lines of a block that may be matching access lines."""
    needle, word = query.needle, query.word
    places: Iterable[int]
    if has_parts:
        places, word, needle = line_starts(block), b"", b""
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
        return places_of(block, query.word)
    if query.slower is not None:
        return _marked(block, _marks_of_slow(query.slower))
    return line_starts(block)


def _marked(block: bytes, marks: Sequence[_Mark]) -> Iterable[int]:
    matches = (mark.pattern.finditer(block) for mark in marks if mark.first in block)
    return sorted(match.start() for match in chain.from_iterable(matches))


def line_starts(block: bytes) -> Iterator[int]:
    """Yield the start of each line of a block."""
    start = 0
    while start < len(block):
        yield start
        start = block.find(b"\n", start) + 1 or len(block)


def places_of(block: bytes, word: bytes) -> Iterator[int]:
    place = block.find(word)
    while place >= 0:
        yield place
        place = block.find(word, place + 1)
