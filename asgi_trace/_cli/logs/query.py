"""
The conditions of ``asgi-trace grep``, read from its options and arguments.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from ..._core.record import NO_ID
from .accesses import HOST
from .entry import Entry
from .reader import LineReader
from .times import read_duration, read_since, read_zone
from .wanted import has_id, needle_of, same_session

__all__ = ("TRACE", "Query", "read_arguments", "read_query")

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
    if path and HOST.match(path):  # of a browser's address
        path = HOST.sub("", path).partition("#")[0]
    return Query(
        request=request or None,
        session=session or None,
        since=read_since(since, zone) if since else None,
        path=_read_path(path) if path else None,
        status=codes,
        slower=round(read_duration("--slower", slower) * 1000, 6) if slower else None,
        zone=zone,
        word=_word_of(path or ""),
        codes=frozenset(filter(codes, range(100, 10_000))) if codes else frozenset(),
        trace=_read_trace("--trace", trace) if trace else None,
        span=_read_span(span) if span else None,
        service=service or None,
    )


def _read_trace(option: str, text: str) -> str:
    """Return the trace id *text*, also from a ``traceparent`` or from a header of AWS X-Ray."""
    of_aws = _OF_AWS.fullmatch(text)
    if of_aws is not None:
        return of_aws[1]
    parent = _TRACEPARENT.fullmatch(text)
    digits = text.lower() if parent is None else parent["trace"]
    if TRACE.fullmatch(digits) is None:
        raise ValueError(f"{option} is {text!r}; expected 32 hexadecimal digits")
    return digits


def _read_span(text: str) -> str:
    """Return the span id *text*, also from a ``traceparent``."""
    parent = _TRACEPARENT.fullmatch(text)
    digits = text.lower() if parent is None else parent["span"]
    if _SPAN.fullmatch(digits) is None:
        raise ValueError(f"--span is {text!r}; expected 16 hexadecimal digits")
    return digits


# Texts that people paste: the bracket of a line, the header traceparent, and one of AWS X-Ray.
_BRACKET = re.compile(
    r"(?:.*?\[)?req=(?P<request>[^|\]]+)\|session=(?P<session>[^|\]]+)(?:\|[^\]]*)?(?:\].*)?",
    re.DOTALL,
)
_TRACEPARENT = re.compile(
    r'(?:"?traceparent"?[:=] ?)?"?[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}"?,?',
    re.IGNORECASE,
)
# A field of a line or a header of a request, and a value in quotes.
_NAMED = re.compile(
    r"""["']?(?:x[-_])?(?P<name>req|session|trace|span)(?:(?:uest)?[-_]?id["']? ?[=:] ?|=)"""
    r"""["']?(?P<id>[^\s"',]+)["']?,?""",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""(["'])([^\s"']+)\1,?""")
_OF_AWS = re.compile(r"(?:[^;]*;)?(?:Root=)?(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;.*)?")
TRACE = re.compile(r"[0-9a-f]{32}")
_SPAN = re.compile(r"[0-9a-f]{16}")


# Fewer characters are the beginning of too many ids.
_LEAST = 4


def read_arguments(
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
    return _with_pasted(query, first), files


def _with_pasted(query: Query, text: str) -> Query:
    """
    Return the *query* for a *text* that somebody has copied. One in no known form is the beginning
    of an id.
    """
    bracket = _BRACKET.fullmatch(text)
    if bracket is not None:
        request, session = bracket["request"], bracket["session"]
        if request == NO_ID:
            return replace(query, session=session)
        return replace(query, request=request)
    if _TRACEPARENT.fullmatch(text) is not None:
        return replace(query, trace=_read_trace("the traceparent", text))
    named = _NAMED.fullmatch(text)
    if named is not None:
        name, value = named["name"].lower(), named["id"]
        if name == "trace":
            return replace(query, trace=_read_trace("the trace id", value))
        if name == "span":
            return replace(query, span=_read_span(value))
        if name == "session":
            return replace(query, session=value)
        return replace(query, request=value)
    request = _request_of_line(text) if " " in text else ""
    if request:
        return replace(query, request=request)
    quoted = _QUOTED.fullmatch(text)
    return replace(query, beginning=quoted[2] if quoted else text)


def _request_of_line(line: str) -> str:
    """Return the id of the request of a whole *line* in any form; empty without one."""
    reader = LineReader()
    entries = reader.read([line]) + reader.finish()
    request_ids = [entry.request_id for entry in entries if entry.request_id]
    return next((request_id for request_id in request_ids if request_id != NO_ID), "")


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
    # OpenAPI writes 5XX.
    match = re.fullmatch(r"\s*([<>!=]=?|)\s*([1-9]\d{2,3}|[1-9]xx)\s*", text.lower(), re.ASCII)
    if match is None or match[1] not in _COMPARISONS or (match[1] and "x" in match[2]):
        raise ValueError(f"--status is {text!r}; expected a status such as 404, 5xx or '>=500'")
    if "x" in match[2]:
        return lambda status: status // 100 == int(match[2][0])
    compare = _COMPARISONS[match[1]]
    return lambda status: compare(status, int(match[2]))


def _word_of(path: str) -> bytes:
    """
    Return bytes that each line with such a path contains: its longest word, since a line may escape
    the rest.
    """
    return max(re.findall(r"[\w-]+", path, re.ASCII), key=len, default="").encode()
