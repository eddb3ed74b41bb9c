"""
The lines of one log that meet the conditions of ``asgi-trace grep``, and the requests that do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Set
from datetime import tzinfo
from typing import NamedTuple

from .candidates import candidates, line_starts, may_be_split, places_of
from .own import JSON, LOGFMT, OWN_HEAD
from .query import Query
from .steps import MOST_BETWEEN, Steps
from .times import Clock

__all__ = ("Found", "search", "search_requests", "search_trace", "text_of")

_OWN_TEXT = re.compile(OWN_HEAD.encode())
# A record of ours, which continues no record before it: in text, it has a mark of its own.
_OWN_RECORD = re.compile(
    "|".join((OWN_HEAD.replace("[-|]", "-"), JSON.pattern, LOGFMT.pattern)).encode()
)


class Found(NamedTuple):
    """
    A line, and the time of its record: that of the line before, if it cannot be read.
    """

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
) -> Iterator[Found]:
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
                yield Found(when, block[:start])
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
                        yield Found(when, line)
                    continue
                time = None if is_further else steps.begin_own(own[1].decode(), request_id)
                if time is not None:
                    when, is_wanted = time, request_id in alone
                    if is_wanted:
                        yield Found(when, line)
                    continue
            taken = steps.take(text_of(line))
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
                yield Found(when, (pending if taken[0].entry is None else b"") + before + line)
            pending = b""
        yield Found(when, b"")
    for step, part in zip(steps.rest(), parts.values(), strict=False):  # of incomplete lines
        entry = step.entry
        is_in = entry is not None and (requests is None or entry.request_id in requests)
        if entry is not None and is_in and query.wants(entry, service):
            yield Found(when, part)
    if is_wanted and not is_line_end:
        yield Found(when, b"\n")  # another log's line may follow


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
