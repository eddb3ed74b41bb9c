"""
An entry of a log, and the values in it: ids, traces and texts as they are shown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..._core.patterns import Pattern
from .names import NO_IDS

__all__ = (
    "LONGEST_TEXT",
    "NO_MORE",
    "Entry",
    "astral",
    "id_of",
    "more_of",
    "shown",
    "trace_of",
)

LONGEST_TEXT = 65_536
"""The most characters that are kept of an entry's text."""

NO_MORE: dict[str, Any] = {}
"""The ``more`` of an entry without any: nobody changes it."""


class Entry(NamedTuple):
    """
    A line of a log, with those that continue it.

    ``time`` is in milliseconds since the epoch, and a whole number if the line has no fraction of a
    second. ``session_id`` may be cut; both ids are empty if there is none. ``message`` is the place
    in ``text`` where the message begins. ``more`` has values of few lines: ``access`` (the fields
    of an access line), ``call``, ``trace``, ``span``, ``parent`` (the caller's span), ``service``,
    ``source`` (the instance that wrote it), ``outgoing`` (the fields of a line about an outgoing
    call), ``inner`` (a tracer's span within the request), ``foreign`` (no formatter of ours wrote
    it, and it may leave out the span), and ``undated``: the line has no time that can be read, and
    ``time`` is that of the line before.
    """

    time: float
    level: int
    request_id: str
    session_id: str
    text: str
    message: int
    more: dict[str, Any] | None
    file: int


def more_of(trace: str, span: str, parent: str, service: str) -> dict[str, Any]:
    """Return the ``more`` of an :class:`Entry` with those that a line of ours names."""
    more = {"trace": trace}
    if span:
        more["span"] = span
    if parent:
        more["parent"] = parent
    if service:
        more["service"] = service
    return more


def astral(text: str) -> int:
    """Return the number of characters of *text* that count twice in JavaScript."""
    return 0 if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)


def shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is int:  # dumps() takes thirty times as long
        return str(value)
    from json import dumps

    try:
        return dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def id_of(value: Any) -> str:
    if type(value) is list and len(value) == 1:  # of a header
        value = value[0]
    text = value if type(value) is str else shown(value)
    return "" if text in NO_IDS else text[:512]


# The trace in the headers of W3C and of AWS X-Ray, also without the other parts of the latter.
_IN_HEADER = Pattern(
    r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}|(?:[^;]*;)?Root=([\w-]{1,64})(?:;.*)?"
)


_NO_TRACE = Pattern(r"[\s()\[\]]|\A(?:true|false)\Z")


def trace_of(text: str) -> str:
    """
    Return the trace in the *text* of a field, which may be a header or a name of Google Cloud; ""
    for any other text with a blank or a bracket, such as a traceback.
    """
    match = _IN_HEADER.fullmatch(text)
    if match is not None:
        return id_of(match[1] or match[2])
    return "" if _NO_TRACE.search(text) else id_of(text.rpartition("/")[2].removeprefix("0x"))
