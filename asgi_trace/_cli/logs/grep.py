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
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from datetime import tzinfo
from itertools import islice

from ..._core.escapes import escape
from ..._core.lines import id_color
from ..._core.record import NO_ID
from .candidates import REQUEST_ID, may_be_split, shortcut
from .colors import COLORS
from .entry import Entry
from .files import Log, allow_open, distinct, drop_output, reason, refuse_terminal
from .order import lines_of
from .query import TRACE, Query, read_arguments
from .reader import LineReader
from .search import Hit, search, search_requests, search_trace, text_of
from .services import service_of_file
from .steps import Steps
from .summary import Reading, hints, summarize
from .times import Clock
from .wanted import is_plain

__all__ = ("run",)


# The most request ids that a search by access line keeps: some 10 MB.
_MOST_REQUESTS = 100_000


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
        self._is_counted = sys.stderr.isatty()  # only a terminal is shown the number of lines
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
        has_parts = may_be_split(block)
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

    def search(self, query: Query, requests: Set[str] | None) -> Iterator[Hit]:
        """Yield the lines of the log that the *query* wants, those of *requests* alone."""
        return search(
            self.lines(),
            query,
            requests,
            shortcut(query, requests, self.is_named),
            self.service,
            self.has_parts,
            self.written,
            self.known,
        )

    def _sample(self, lines: list[bytes]) -> None:
        reader = LineReader(zone=self._zone, reading=self.reading, known=self.known)
        texts = [text_of(line) for line in lines if line != b"\n"]
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
        ids_of_each = [REQUEST_ID.findall(line) for line in lines]
        named = {request_id.decode() for ids in ids_of_each for request_id in ids}
        if any(map(is_plain, {entry.request_id for entry in entries} - named - {""})):
            return False
        # A server's line may have, without a name, the id that a line of ours names.
        others = [text_of(line) for line, ids in zip(lines, ids_of_each, strict=True) if not ids]
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


def _write(hits: Iterable[Hit]) -> bool:
    """Write the lines of *hits* to standard output, and return whether there was one."""
    out = sys.stdout.buffer
    is_terminal = sys.stdout.isatty()
    in_color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    is_any = False
    for hit in hits:
        if not hit.line:
            out.flush()
            continue
        is_any = True
        out.write(_for_terminal(hit.line, in_color) if is_terminal else hit.line)
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
        query, files = read_arguments(arguments, conditions)
        if not files:
            refuse_terminal("grep f3e2a5c4")
    except ValueError as error:
        _complain(str(error))
        return 2
    # The order of lines of the same second: a rotated log comes before the one that continues it.
    logs = sorted(
        (Log(name, _complain, _BLOCK) for name in distinct(files) or ("-",)), key=Log.last_written
    )
    sampled = [_Sampled(log, query.zone) for log in logs if not _is_output(log)]
    allow_open(len(logs))
    are_read_twice = query.by_access_line or bool(query.trace)
    with _pipes_kept([sample.log for sample in sampled] if are_read_twice else ()):
        query, requests = _with_requests(query, sampled)
        hits = (sample.search(query, requests) for sample in sampled)
        try:
            is_any = _write(heapq.merge(*hits, key=operator.attrgetter("when")))
        except BrokenPipeError:
            raise
        except OSError as error:  # of the output: errors of a log are reported by the log
            _complain(f"standard output: {reason(error)}")
            drop_output()
            return 2
    _say_what_was_read(sampled, query, is_any)
    if any(log.failed for log in logs):
        return 2
    return 0 if is_any else 1


def _is_output(log: Log) -> bool:
    """Whether the lines are written to this *log*: each would be found in it again, without an end."""
    is_output = log.is_output()
    if is_output:
        log.complain("standard output goes to this file, so it is not searched")
    return is_output


@contextlib.contextmanager
def _pipes_kept(logs: Sequence[Log]) -> Iterator[None]:
    """Keep what the pipes among *logs* contain in temporary files, so that they can be read twice."""
    with contextlib.ExitStack() as spools:
        for log in logs:
            if not log.can_be_read_again():
                from tempfile import TemporaryFile  # a pipe is rare, and its import is slow

                log.spool(spools.enter_context(TemporaryFile()))
        yield


def _with_requests(query: Query, logs: Sequence[_Sampled]) -> tuple[Query, set[str] | None]:
    """
    Return the *query* and the requests that it wants by what other lines show: by their trace, and
    by their access lines; None for all requests.
    """
    requests = None
    if query.trace:
        requests = _requests_of(query.trace, logs, query.zone)
    elif query.beginning and TRACE.fullmatch(query.beginning):
        query = _with_trace(query, logs)
    if query.by_access_line:
        wanted = _requests_wanted(logs, query)
        requests = wanted if requests is None else wanted & requests
    return query, requests


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
