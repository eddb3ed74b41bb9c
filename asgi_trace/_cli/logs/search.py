"""
The lines of one log that meet the conditions of ``asgi-trace grep``, and the requests that do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Set
from datetime import tzinfo
from typing import NamedTuple

from .candidates import candidates, line_starts, may_be_split, places_of
from .entry import Entry
from .own import JSON, LOGFMT, OWN_HEAD
from .query import Query
from .steps import MOST_BETWEEN, Steps
from .times import Clock

__all__ = ("Hit", "search", "search_requests", "search_trace", "text_of")

_OWN_TEXT = re.compile(OWN_HEAD.encode())
# A record of ours, which continues no record before it: in text, it has a mark of its own.
_OWN_RECORD = re.compile(
    "|".join((OWN_HEAD.replace("[-|]", "-"), JSON.pattern, LOGFMT.pattern)).encode()
)


class Hit(NamedTuple):
    """A line to show, and the time of its record: that of the line before, if it cannot be read."""

    when: float
    line: bytes


def search(
    blocks: Iterable[bytes],
    query: Query,
    requests: Set[str] | None,
    find: Callable[[bytes, int], int],
    service: str = "",
    has_parts: Callable[[bytes], bool] = may_be_split,
    written: float | None = None,
    known: Steps | None = None,
) -> Iterator[Hit]:
    """
    Yield each line whose record the *query* wants, and the unstamped lines of its traceback.

    *requests* are those that match by their access lines, None for all. *find* returns the place in
    a block, from a given place on, of a line that may match, or -1: text before it is skipped. An
    empty line is yielded after each block, since the next one may be late. *service* is for lines
    that name none; *written* is the time of the last write to the log, in seconds since the epoch.
    *known* has read some of its lines: what a prefix is may be shown by a line that is skipped here.
    """
    lines = _Lines(query, requests, service, Steps(0, Clock(query.zone, written), known))
    for block in blocks:
        yield from lines.in_block(block, find, has_parts(block))
        yield Hit(lines.when, b"")
    yield from lines.rest()


class _Lines:
    """The lines of one log, block by block, as :func:`search` takes them."""

    def __init__(self, query: Query, requests: Set[str] | None, service: str, steps: Steps) -> None:
        self.when = -float("inf")  # of the last record
        self._query = query
        self._requests = requests
        self._service = service
        self._steps = steps
        # the wanted requests, if a line's request alone decides
        self._alone = None if query.is_of_lines else requests
        self._is_wanted = False  # the record that the line belongs to
        self._is_line_end = True
        self._pending = b""  # empty lines, until their record is known
        self._parts: dict[tuple[str, str], bytes] = {}  # of lines, until their rest comes
        self._had_parts = False  # the block before
        # The sources of wanted records that a later line may continue, and the number of the last
        # line of these.
        self._awaited: set[str] = set()
        self._last_awaited = 0

    def in_block(
        self, block: bytes, find: Callable[[bytes, int], int], has_parts: bool
    ) -> Iterator[Hit]:
        """Yield the wanted lines of a *block*, which may have parts of split lines."""
        start = 0
        if not self._is_line_end:
            start = block.find(b"\n") + 1 or len(block)
            if self._is_wanted:
                yield Hit(self.when, block[:start])
        self._is_line_end = block.endswith(b"\n")
        had_parts, self._had_parts = self._had_parts, has_parts
        is_whole = not has_parts and not (had_parts and self._parts)
        while start < len(block):
            if self._is_wanted and is_whole and _OWN_RECORD.match(block, start):
                self._is_wanted = False
            if self._awaited and self._steps.number - self._last_awaited > MOST_BETWEEN:
                self._awaited.clear()
            if is_whole and not self._is_wanted and not self._awaited:
                start = self._skipped(block, start, find)
                if start < 0:
                    return
            end = block.find(b"\n", start) + 1 or len(block)
            line = block[start:end]
            start = end
            is_own = is_whole and self._alone is not None and self._takes_own(line)
            shown = line if is_own and self._is_wanted else b""
            if not is_own:
                shown = self._taken(line)
            if shown:
                yield Hit(self.when, shown)

    def _skipped(self, block: bytes, start: int, find: Callable[[bytes, int], int]) -> int:
        """Return the start of the next line, from *start* on, that may match; -1 without one."""
        place = find(block, start)
        begin = -1 if place < 0 else block.rfind(b"\n", start, place) + 1 or start
        if begin != start:
            self._steps.jump()
        return begin

    def _takes_own(self, line: bytes) -> bool:
        """
        Take a *line* that is our text, where its request alone decides; return False for any other
        line.
        """
        own = None if self._pending else _OWN_TEXT.match(line)
        if own is None or self._alone is None:
            return False
        request_id = own[2].decode("utf-8", "replace")
        if own[6] == b"|":  # a further line of a record
            return self._steps.goes_on(request_id)
        when = self._steps.begin_own(own[1].decode(), request_id)
        if when is None:
            return False
        self.when, self._is_wanted = when, request_id in self._alone
        return True

    def _taken(self, line: bytes) -> bytes:
        """
        Take a *line* of any form. Return what is to be shown: nothing, or the line with parts and
        empty lines before it.
        """
        steps = self._steps
        taken = steps.take(text_of(line))
        if not taken:
            self._parts[steps.writer] = self._parts.get(steps.writer, b"") + line
            return b""
        is_further = taken[0].entry is None
        if self._is_wanted and is_further and not line.strip():
            self._pending += line
            return b""
        before = self._parts.pop(steps.writer, b"") if self._parts else b""
        if is_further:
            before = self._pending + before
        self._pending = b""
        is_shown = False
        for step in taken:
            if step.entry is not None:
                self._begin(step.entry)
            is_shown = is_shown or self._is_wanted
        return before + line if is_shown else b""

    def _begin(self, entry: Entry) -> None:
        """Note that the lines from here on belong to an *entry*."""
        if entry.time >= 0:
            self.when = entry.time
        self._is_wanted = self._wants(entry)
        source = self._steps.awaited_source
        if self._is_wanted and source:
            self._awaited.add(source)
            self._last_awaited = self._steps.number
        else:
            self._awaited.discard(self._steps.source)

    def _wants(self, entry: Entry) -> bool:
        if self._requests is not None and entry.request_id not in self._requests:
            return False
        return self._query.wants(entry, self._service)

    def rest(self) -> Iterator[Hit]:
        """Yield what is left at the end of the log: the parts of incomplete lines."""
        for step, part in zip(self._steps.rest(), self._parts.values(), strict=False):
            if step.entry is not None and self._wants(step.entry):
                yield Hit(self.when, part)
        if self._is_wanted and not self._is_line_end:
            yield Hit(self.when, b"\n")  # another log's line may follow


def text_of(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip("\ufeff\r\n")


def search_requests(
    blocks: Iterable[bytes],
    query: Query,
    service: str = "",
    has_parts: Callable[[bytes], bool] = may_be_split,
    written: float | None = None,
    known: Steps | None = None,
) -> Iterator[str]:
    """Yield the id of each request with an access line that matches the *query*."""
    steps = Steps(0, Clock(query.zone, written), known)
    for block in blocks:
        for line in candidates(block, query, has_parts(block)):
            steps.jump()
            for step in steps.take(text_of(line)):
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
    has_parts: Callable[[bytes], bool] = may_be_split,
) -> Iterator[str]:
    """Yield the id of each request whose lines name the *trace*."""
    steps = Steps(0, Clock(zone), known)
    for block in blocks:
        end = 0
        places = line_starts(block) if has_parts(block) else places_of(block, trace.encode())
        for place in places:
            if place < end:
                continue
            start = block.rfind(b"\n", 0, place) + 1
            end = block.find(b"\n", place) + 1 or len(block)
            steps.jump()
            for step in steps.take(text_of(block[start:end])):
                entry = step.entry
                if entry is not None and entry.more and entry.more.get("trace") == trace:
                    yield entry.request_id
