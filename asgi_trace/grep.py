"""
The command ``asgi-trace grep``: the lines of a session or a request, out of logs of any size.

Knows files, pipes and terminals, and reads each byte with bounded memory. What a line tells it asks ``records``. Does
not know who wrote the logs.
"""

from __future__ import annotations

import contextlib
import heapq
import operator
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from .logfiles import (
    ANOTHER_LOG,
    COLOR,
    COLORS,
    TRACEBACK,
    Log,
    is_plain,
    read_duration,
    read_since,
    reason,
    same_session,
)
from .records import NO_ID, SESSION_LENGTH, Record, escape, id_color, parse_access, parse_line, parse_time

__all__ = ("Query", "read_query", "run", "search", "search_requests", "shortcut")


# -- what is looked for ------------------------------------------------------------------------------------------

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
    What a line must meet: the first three by itself, the others through the access line of its request.

    *path* and *status* tell whether a path and a status are wanted; *slower* is in milliseconds, *since* in seconds
    since the epoch.
    """

    request: str | None = None
    session: str | None = None
    since: float | None = None
    path: Callable[[str], object] | None = None
    status: Callable[[int], bool] | None = None
    slower: float | None = None

    @property
    def by_access_line(self) -> bool:
        """Whether the access lines must be read before anything can be shown."""
        return (self.path, self.status, self.slower) != (None, None, None)

    @property
    def needle(self) -> bytes:
        """Bytes that each line looked for has in it; none, when that is not known."""
        wanted = self.request or (self.session or "")[:SESSION_LENGTH]
        return wanted.encode() if is_plain(wanted) else b""

    def wants(self, record: Record, when: float) -> bool:
        """Whether the ids and the time of *record* are wanted."""
        return (
            (self.request is None or record.request_id == self.request)
            and (self.session is None or same_session(record.session_id, self.session))
            and (self.since is None or when >= self.since)
        )

    def wants_access(self, fields: dict[str, Any]) -> bool:
        """Whether the request whose access line has these *fields* is wanted. What is not there, is not."""
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
) -> Query:
    """
    Return the query that the command's arguments ask for.

    :raises ValueError: with a sentence for the user, when one of them cannot be read, or there is none.
    """
    if not (request or session or path or status or slower or since):
        raise ValueError("nothing to look for; expected --session, --request, --path, --status, --slower or --since")
    return Query(
        request or None,
        session or None,
        read_since(since) if since else None,
        _read_path(path) if path else None,
        _read_status(status) if status else None,
        read_duration("--slower", slower) * 1000 if slower else None,
    )


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


# -- reading -----------------------------------------------------------------------------------------------------

# What a search by access line remembers at most: some 10 MB.
_MOST_REQUESTS = 100_000

_REQUEST_ID = re.compile(rf'req(?:=|uest_id(?:="?|"\s*:\s*"))(?:{COLOR})*([\w.~+/=:@-]+)'.encode())
_STATUS = re.compile(rb'" \d{3}')
_TRACEBACK = re.compile(TRACEBACK.encode())
_ANOTHER_LOG = re.compile(ANOTHER_LOG.encode())


class _Found(NamedTuple):
    """A line, and the time of the record that it belongs to: the line before's, where it cannot be read."""

    when: float
    line: bytes


def search(
    blocks: Iterable[bytes], query: Query, requests: Set[str] | None, find: Callable[[bytes, int], int]
) -> Iterator[_Found]:
    """
    Yield each line whose record the *query* wants, and the unstamped lines of its traceback.

    *requests* are those wanted for their access lines, None for all. *find* tells where in a block, from a place on,
    a line stands that may be wanted, or -1: what lies before it is skipped unread. After each block comes an empty
    line: more may be long in coming.
    """
    is_wanted = False  # the record that this line belongs to
    in_traceback = False
    is_line_end = True
    when = -float("inf")
    for block in blocks:
        start = 0
        if not is_line_end:
            start = block.find(b"\n") + 1 or len(block)
            if is_wanted:
                yield _Found(when, block[:start])
        is_line_end = block.endswith(b"\n")
        while start < len(block):
            if not is_wanted:
                found = find(block, start)
                if found < 0:
                    break
                start = block.rfind(b"\n", start, found) + 1 or start
            end = block.find(b"\n", start) + 1 or len(block)
            line = block[start:end]
            start = end
            record = _parse(line)
            if record is not None:
                when = _time(record.time, when)
                is_wanted = (requests is None or record.request_id in requests) and query.wants(record, when)
                in_traceback = False
            elif is_wanted:
                in_traceback = in_traceback or _TRACEBACK.match(line) is not None
                is_wanted = in_traceback and not _ANOTHER_LOG.match(line)
            if is_wanted:
                yield _Found(when, line)
        yield _Found(when, b"")
    if is_wanted and not is_line_end:
        yield _Found(when, b"\n")  # another log's line may follow


def shortcut(query: Query, requests: Set[str] | None) -> Callable[[bytes, int], int]:
    """Return a *find* for :func:`search`: it may stop too often, at an id in a message, and never too seldom."""
    needle = query.needle
    if needle or requests is None:
        return lambda block, start: block.find(needle, start)
    if not all(map(is_plain, requests)):
        return lambda block, start: start
    ids = {request_id.encode() for request_id in requests}

    def find(block: bytes, start: int) -> int:
        return next((match.start() for match in _REQUEST_ID.finditer(block, start) if match[1] in ids), -1)

    return find


def _parse(line: bytes) -> Record | None:
    text = line.decode("utf-8", "replace").strip("\ufeff\r\n")
    if "\x1b" in text:
        text = COLORS.sub("", text)
    parsed = parse_line(text)
    return parsed and parsed[0]


_parse_time = lru_cache(maxsize=1024)(parse_time)


def _time(text: str, before: float) -> float:
    when = _parse_time(text)
    return before if when is None else when


def search_requests(blocks: Iterable[bytes], query: Query) -> Iterator[str]:
    """Yield the id of each request that the *query* wants for its access line."""
    when = -float("inf")
    needle = query.needle
    for block in blocks:
        for line in block.split(b"\n"):
            if needle not in line:
                continue
            # What is in any access line of ours: behind a duration; behind none, and no size; behind a size. And what
            # is in a server's: a request and its status.
            if not (b"ms " in line or b"- - " in line or b"B " in line or (b'" ' in line and _STATUS.search(line))):
                continue
            record = _parse(line)
            if record is None:
                continue
            when = _time(record.time, when)
            if record.request_id == NO_ID or not query.wants(record, when):
                continue
            # Where the logger is known, other loggers' lines are not taken for access lines.
            fields = parse_access(record.message) if "access" in (record.logger or "access") else None
            if fields is not None and query.wants_access(fields):
                yield record.request_id


def _complain(sentence: str) -> None:
    print(f"asgi-trace grep: {sentence}", file=sys.stderr)


# -- showing -----------------------------------------------------------------------------------------------------

_IDS = re.compile(r'(\[req=|\|session=|\b(?:request|session)_id=|"(?:request|session)_id": ?")([^|\]" ]+)')


def _colored(match: re.Match[str]) -> str:
    name, found = match.groups()
    return match[0] if found == NO_ID else f"{name}{id_color(found)}{found}\x1b[0m"


def _for_terminal(line: bytes, in_color: bool) -> bytes:
    """Return the line with each id in its color, and so that no byte of it commands the terminal."""
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
    for found in lines:
        if not found.line:
            out.flush()
            continue
        is_any = True
        out.write(_for_terminal(found.line, in_color) if is_terminal else found.line)
    out.flush()
    return is_any


# -- the command -------------------------------------------------------------------------------------------------


def run(files: Sequence[str], **conditions: str | None) -> int:
    """
    Write the lines of *files* that meet all *conditions*, those of :func:`read_query`, and return the exit code.

    ``-``, or no file, is standard input. 0: there was such a line; 1: there was none; 2: something went wrong.
    """
    try:
        query = read_query(**conditions)
    except ValueError as error:
        _complain(str(error))
        return 2
    # Lines of the same second come in this order: a log that was rotated away stands before the one that went on.
    logs = sorted((Log(name, _complain) for name in files or ("-",)), key=Log.last_written)
    with contextlib.ExitStack() as spools:
        requests = None
        if query.by_access_line:
            for log in logs:
                if not log.can_be_read_again():
                    log.spool(spools.enter_context(tempfile.TemporaryFile()))
            requests = _requests_wanted(logs, query)
        find = shortcut(query, requests)
        found = (search(log.blocks(), query, requests, find) for log in logs)
        try:
            is_any = _write(heapq.merge(*found, key=operator.attrgetter("when")))
        except BrokenPipeError:
            raise
        except OSError as error:  # what is wrong with a log, the log has said
            _complain(f"standard output: {reason(error)}")
            # Python would try once more at its end.
            with open(os.devnull, "wb") as sink:
                os.dup2(sink.fileno(), sys.stdout.fileno())
            return 2
    return 2 if any(log.failed for log in logs) else 0 if is_any else 1


def _requests_wanted(logs: Sequence[Log], query: Query) -> set[str]:
    requests: set[str] = set()
    for log in logs:
        for request_id in search_requests(log.blocks(), query):
            if len(requests) == _MOST_REQUESTS and request_id not in requests:
                _complain(
                    f"more than {_MOST_REQUESTS} requests match; shown are the first, narrow it down with --since"
                )
                return requests
            requests.add(request_id)
    return requests
