"""
The messages of two kinds of lines: about a request that is over, and about an outgoing call.

Ours are written and read; the access lines of common servers are read, too. This module works on
strings and dicts. It measures nothing and logs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .logfmt import format_pairs, parse_pairs, quote_value
from .patterns import Pattern

__all__ = (
    "ACCESS_LOGGER",
    "CALLS_LOGGER",
    "format_access",
    "format_outgoing",
    "format_usual_access",
    "parse_access",
    "parse_outgoing",
)

ACCESS_LOGGER = "asgi_trace.access"
"""The logger of the messages that :func:`format_access` makes."""

CALLS_LOGGER = "asgi_trace.calls"
"""The logger of the messages that :func:`format_outgoing` makes."""


# -- access lines ----------------------------------------------------------------------------------

# The words of a line in their order, and the function that reads each.
_ACCESS_WORDS: dict[str, Callable[[str], Any]] = {
    "method": str,
    "path": str,
    "status": int,
    "duration_ms": float,
    "bytes": int,
    "transport": str,
    "client": str,
    "ttfb_ms": float,
    "parent": str,
}
_BLANKS = len(_ACCESS_WORDS) - 3  # between the words up to the client
_ACCESS = Pattern(
    r"(?P<method>[^ ]+) (?P<path>[^ ]+) (?:-|(?P<status>\d{1,9})) (?:-|(?P<duration_ms>\d+\.\d)ms) "
    r"(?:-|(?P<bytes>\d{1,20})B) (?P<transport>[^ ]+) (?P<client>[^ ]+)(?: ttfb=(?P<ttfb_ms>\d+\.\d)ms)?"
    r"(?: parent=(?P<parent>[0-9a-f]{16})(?= |\Z))?(?P<others> .+)?"
)
# The default access lines of uvicorn, hypercorn, gunicorn and granian; granian's ends with
# milliseconds.
_SERVER_ACCESS = Pattern(
    r'(?:\[[^\]]*\] )?[^ ]* - (?:- \[[^\]]*\] )?"(?P<method>[A-Z]+) (?P<path>.+?) (?:HTTP/[\d.]+|[\d.]+|ws)" '
    r"(?P<status>\d{3})(?: (?P<duration_ms>\d+\.\d{3}))?(?= |\Z)",
)
# Those of servers for development, with a duration in another unit and its milliseconds. The path
# of the first is decoded, and may have anything in it: its line is matched up to its end.
_DEVELOPMENT_ACCESS = (
    # quart run
    (
        Pattern(r"[\da-fA-F.:]{2,60} ([A-Z]+) (/.*) 1\.1 (-|\d{3}) (?:-|\d{1,20}) (\d{1,12})"),
        1e-3,
    ),
    # Django's runserver, by daphne
    (Pattern(r"HTTP ([A-Z]+) ([^ ]+) (\d{3}) \[(\d{1,12}\.\d\d), [^ \]]+\]"), 1e3),
)
# The log may have any encoding, and a path is decoded: other characters than ASCII are encoded.
_NOT_IN_WORD = Pattern(r"[^!-~]")


def format_access(fields: Mapping[str, Any]) -> str:
    """
    Return the message of an access line: ``GET /api/payment 200 12.3ms 345B http 127.0.0.1:50312
    ttfb=4.1ms parent=00f067aa0ba902b7``.

    *fields* are ``method``, ``path``, ``status``, ``duration_ms``, ``bytes``, ``transport`` and
    ``client``, each ``-`` where there is none, ``ttfb_ms``, and ``parent``, the caller's span.
    Others follow as ``name=value``. A word is ASCII without blanks: a blank becomes ``%20``, and
    ``é`` becomes ``%C3%A9``.
    """
    line = _format_words(fields)
    ttfb, parent = fields.get("ttfb_ms"), fields.get("parent")
    if ttfb is not None:
        line = f"{line} ttfb={ttfb:.1f}ms"
    if parent is not None:
        line = f"{line} parent={quote_value(parent)}"
    others = {
        name: value
        for name, value in fields.items()
        if value is not None and name not in _ACCESS_WORDS
    }
    return f"{line} {format_pairs(others)}" if others else line


def format_usual_access(
    method: str | None,
    path: str | None,
    status: int | None,
    duration: int,
    size: int,
    transport: str | None,
    client: str | None,
    ttfb: int | None,
    parent: str | None,
) -> str | None:
    """
    Return what :func:`format_access` returns for these fields, in a fourth of the time; None where
    a word is missing or must be made fit.

    :param duration: in tenths of a millisecond, as is *ttfb*.
    """
    if not (method and path and status and transport and client):
        return None
    taken = _decimals.get(duration) or _decimal(duration)
    line = f"{method} {path} {status} {taken}ms {size}B {transport} {client}"
    # One look at the whole line: 700 instructions, where one at each word takes 15,000.
    if not (line.isascii() and line.isprintable() and line.count(" ") == _BLANKS):
        return None
    if ttfb is not None:
        taken = _decimals.get(ttfb) or _decimal(ttfb)
        line = f"{line} ttfb={taken}ms"
    return line if parent is None else f"{line} parent={quote_value(parent)}"


# Short durations by their tenths of a millisecond: formatting two numbers takes 1,700 instructions.
_decimals: dict[int, str] = {}

_MOST_DECIMALS = 1000


def _decimal(tenths: int) -> str:
    text = f"{tenths // 10}.{tenths % 10}"
    if tenths < _MOST_DECIMALS:
        _decimals[tenths] = text
    return text


def _format_words(fields: Mapping[str, Any]) -> str:
    """Return the words of an access line up to the client, each encoded where needed."""
    duration, size = fields.get("duration_ms"), fields.get("bytes")
    words = (
        fields.get("method"),
        fields.get("path"),
        fields.get("status"),
        None if duration is None else f"{duration:.1f}ms",
        None if size is None else f"{size:d}B",
        fields.get("transport"),
        fields.get("client"),
    )
    return " ".join(map(_word, words))


def parse_access(message: str) -> dict[str, Any] | None:
    """
    Return the fields of an access line's *message*, ours or a server's own; None when it is none of
    them.

    A field that is written as ``-`` is left out. Durations are as exact as they were written.
    """
    match = _ACCESS.fullmatch(message)
    if match is None:
        match = _SERVER_ACCESS.match(message)
        return _development_access(message) if match is None else _access_fields(match.groups())
    *words, rest = match.groups()
    method, path, status, duration, size, transport, client, ttfb, parent = words
    if rest is None and None not in words[:-1] and "-" not in words:
        # All of a usual line of ours, in a third of the time.
        fields = {
            "method": method,
            "path": path,
            "status": int(status),
            "duration_ms": float(duration),
            "bytes": int(size),
            "transport": transport,
            "client": client,
            "ttfb_ms": float(ttfb),
        }
        if parent is not None:
            fields["parent"] = parent
        return fields
    others = {} if rest is None else parse_pairs(rest)
    return None if others is None else _access_fields(words) | others


def _development_access(message: str) -> dict[str, Any] | None:
    for pattern, milliseconds in _DEVELOPMENT_ACCESS:
        match = pattern.fullmatch(message)
        if match is not None:
            *words, lasted = match.groups()
            duration = round(float(lasted) * milliseconds, 3)
            return {**_access_fields(words), "duration_ms": duration}
    return None


def _access_fields(words: Sequence[str | None]) -> dict[str, Any]:
    """Return the fields in the first *words* of an access line, without those that are "-"."""
    named = zip(_ACCESS_WORDS.items(), words, strict=False)
    return {name: read(word) for (name, read), word in named if word is not None and word != "-"}


def _word(value: object) -> str:
    return _NOT_IN_WORD.sub(_percent_encoded, str(value)) if value not in (None, "") else "-"


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


# -- lines of outgoing calls -----------------------------------------------------------------------

# The arrow distinguishes them from access lines: the text form shows no logger.
_OUTGOING = Pattern(
    r"-> (?P<method>[^ ]+) (?P<host>[^ /]+)(?P<path>/[^ ]*) (?:-|(?P<status>\d{1,9})|(?P<error>[^ ]+)) "
    r"(?P<duration_ms>\d+\.\d)ms attempt=(?P<attempt>\d{1,9})(?: span=(?P<call_span_id>[^ ]+))?"
)
_OUTGOING_WORDS: dict[str, Callable[[str], Any]] = {
    "method": str,
    "host": str,
    "path": str,
    "status": int,
    "error": str,
    "duration_ms": float,
    "attempt": int,
    "call_span_id": str,
}


def format_outgoing(fields: Mapping[str, Any]) -> str:
    """
    Return the message about an outgoing call: ``-> POST pay.internal/charge?card=*** 200 12.3ms
    attempt=1 span=b7ad6b7169200001``.

    *fields* are ``method``, ``host``, ``path``, ``duration_ms`` and ``attempt``; ``status``, or
    ``error`` where there was no response (``-`` for neither); and ``call_span_id``, the span of the
    call, where it has one. A word is as in :func:`format_access`.
    """
    outcome = fields.get("status") or fields.get("error")
    method, host, path = _word(fields["method"]), _word(fields["host"]), _word(fields["path"])
    line = (
        f"-> {method} {host}{path} {_word(outcome)} "
        f"{fields['duration_ms']:.1f}ms attempt={fields['attempt']:d}"
    )
    span_id = fields.get("call_span_id")
    return f"{line} span={_word(span_id)}" if span_id else line


def parse_outgoing(message: str) -> dict[str, Any] | None:
    """Return the fields of the *message* about an outgoing call; None when it is none."""
    match = _OUTGOING.fullmatch(message)
    if match is None:
        return None
    return {
        name: _OUTGOING_WORDS[name](word)
        for name, word in match.groupdict().items()
        if word is not None
    }
