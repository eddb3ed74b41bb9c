r"""
The one definition of a log line, for writing and for reading: ``parse(format(record)) == record``.

This module works on strings and dicts. A line has one of three forms:

* text: ``2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|session=12345678] - message``. Each further
  line of a message repeats the head, and has ``|`` for its last ``-``. It carries the time, the
  level, two ids and the message; in the bracket the span (``|span=…``) and fields of the program
  (``|tenant=acme``), where they are shown; and behind the bracket, where a request to an MCP server
  calls something, ``[tools/call add #7]``: method, name and JSON-RPC id.
* JSON: one object a line. ``message`` is called so by ECS, ``trace_id`` and ``span_id`` by
  OpenTelemetry's "Trace Context in non-OTLP Log Formats", the parts of ``exception`` (``type``,
  ``message``, ``stacktrace``) by its semantic conventions; ``timestamp`` (RFC 3339), ``level`` and
  ``logger`` are the names that log collectors look for by default. Any other field is an extra one.
  A field without a value is left out: outside a request there is no ``request_id``.
* logfmt: the same names, ``exception.type`` and so on, and nothing but strings for values.

JSON and logfmt are also written and read under the names of other people's log stores, see
:data:`STORES`.

Nothing in a message can be mistaken for another line, or for another field. This module uses no
logging, requests or files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

from .patterns import Pattern

__all__ = (
    "ACCESS_LOGGER",
    "CALLS_LOGGER",
    "HEAD",
    "NO_ID",
    "SESSION_LENGTH",
    "STORES",
    "Naming",
    "Record",
    "Store",
    "escape",
    "escape_id",
    "format_access",
    "format_call",
    "format_ids",
    "format_json",
    "format_json_ids",
    "format_json_line",
    "format_line",
    "format_logfmt",
    "format_outgoing",
    "format_stamped",
    "format_text",
    "format_usual_access",
    "id_color",
    "parse",
    "parse_access",
    "parse_fields",
    "parse_line",
    "parse_outgoing",
    "parse_time",
    "short_session",
    "unescape",
)

NO_ID = "none"
"""The word on a line in place of an id, outside a request."""

ACCESS_LOGGER = "asgi_trace.access"
"""The logger of the messages that :func:`format_access` makes."""

CALLS_LOGGER = "asgi_trace.calls"
"""The logger of the messages that :func:`format_outgoing` makes."""


class Record(NamedTuple):
    """
    A log record, as read from its line: fields that the line's form lacks have their defaults.

    ``message`` includes the traceback where the form is text; the others have it in ``exception``.
    """

    time: str
    level: str
    logger: str = ""
    message: str = ""
    request_id: str = NO_ID
    session_id: str = NO_ID
    trace_id: str = NO_ID
    span_id: str = NO_ID
    mcp_method: str = ""
    mcp_name: str = ""
    jsonrpc_id: str = ""
    exception: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = MappingProxyType({})
    parent_span_id: str = ""
    service: str = ""

    @property
    def text(self) -> str:
        """The message and the traceback, whether or not ``message`` includes it."""
        stacktrace = self.exception and self.exception.get("stacktrace")
        return f"{self.message}\n{stacktrace}" if stacktrace else self.message


# -- text ------------------------------------------------------------------------------------------

# Characters that could end, hide or reverse a line in some viewer: C0, DEL, C1, the Unicode line
# and paragraph separators and the bidirectional controls (UAX #9). A line feed is not among them:
# text is split at line feeds before.
_UNSAFE = "\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_ESCAPE = r"x[0-9a-f]{2}|u[0-9a-f]{4}"

# A run of backslashes is doubled only before an escape, or before text that looks like one: a
# Windows path stays as it is, and unescape() can still distinguish the two. Runs are matched from
# their start only, so that a long one is not tried at each position.
_TO_ESCAPE = Pattern(rf"(?<!\\)(\\*)([{_UNSAFE}])|(?<!\\)(\\+)(?={_ESCAPE})")
_TO_UNESCAPE = Pattern(rf"(?<!\\)(\\+)({_ESCAPE})")

# Only few characters are allowed before the ids. In lines that are not ours, such as a server's
# access line, a client's text follows a quote or a bracket, and so is never taken for a head; or the
# client's address, as a user's name, which a client may send unasked. An id with a color is not
# matched: readers first remove the colors.
_ADDRESS = (
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3} "
    r"|[\da-fA-F]{1,4}:(?:(?:[\da-fA-F]{1,4}:){0,6}:|(?:[\da-fA-F]{1,4}:){6})"
)
HEAD = Pattern(
    rf"(?!{_ADDRESS})"
    r"(?P<time_and_level>[0-9][\w:.,+/ -]{0,80}) - "
    r"\[req=(?P<request_id>[^|\]\n\x1b]*)\|session=(?P<session_id>[^|\]\n\x1b]*)(?P<rest>\|[^\]\n]*)?\]"
    r"(?: \[(?P<call>[^\]\n]*)\])? (?P<mark>[-|])(?: |\Z)"
)
"""
The head of a line of text: its time and level, the request's id, the session's, the rest of the
bracket (the span and fields of the program), the call, and the mark.
"""

SESSION_LENGTH = 8
"""The number of characters of a long session id that a line of text shows."""

_from_hex = bytes.fromhex  # reading the attribute would take as long as the call

# Session ids that we generate, digests of secrets, and those of MCP servers. Clients seldom choose
# such a name.
_LONG_ID = Pattern(r"[0-9A-Fa-f]{16,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def short_session(session_id: str, length: int | None = SESSION_LENGTH) -> str:
    """
    Return *session_id* as a line of text shows it.

    A UUID, or 16 and more hexadecimal digits, is cut to *length* characters: it means nothing to a
    human reader. An id that a client chose is shown whole. None for *length* never cuts.
    """
    if length is None or len(session_id) < 16:
        return session_id
    try:
        # 900 instructions for an id of ours, where the regular expression takes 2,800. fromhex()
        # accepts blanks between digits: the lengths then differ.
        is_long_id = 2 * len(_from_hex(session_id)) == len(session_id)
    except ValueError:
        is_long_id = _LONG_ID.fullmatch(session_id) is not None
    return session_id[:length] if is_long_id else session_id


def escape(text: str) -> str:
    r"""
    Return *text* with each control character as ``\x1b`` or ``\u2028``; ``unescape`` reverses this.
    """
    if text.isprintable() and "\\" not in text:  # in C, and true of nearly every message
        return text
    escaped: str = _TO_ESCAPE.sub(_escaped, text)
    return escaped


def unescape(text: str) -> str:
    """Return the text from which ``escape`` made *text*."""
    return _TO_UNESCAPE.sub(_unescaped, text) if "\\" in text else text


# In the bracket of a line, "|" and "]" end an id.
_UNSAFE_IN_ID = Pattern(rf"[{_UNSAFE}\n|\]]")


def escape_id(text: str) -> str:
    r"""
    Return the id *text* with each character that a bracket cannot hold as ``\x7c``; escaping twice
    gives the same.
    """
    if text.isalnum():  # in C, and true of nearly every id
        return text
    return str(_UNSAFE_IN_ID.sub(_escaped_in_id, text))


def _escaped_in_id(match: re.Match[str]) -> str:
    return _code_of(match[0])


def _escaped(match: re.Match[str]) -> str:
    before, unsafe, lookalike = match.groups()
    if unsafe is None:
        return 2 * str(lookalike)
    return 2 * str(before) + _code_of(unsafe)


def _code_of(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _unescaped(match: re.Match[str]) -> str:
    backslashes, code = match.groups()
    literal = "\\" * (len(backslashes) // 2)
    return literal + (chr(int(code[1:], 16)) if len(backslashes) % 2 else code)


def format_line(
    time: str, level: str, request_id: str, session_id: str, message: str, call: str = ""
) -> str:
    """
    Return the line of a log record; the arguments are those of :func:`format_ids` and
    :func:`format_stamped`.
    """
    return format_stamped(time, level, format_ids(request_id, session_id), message, call)


def format_stamped(time: str, level: str, ids: str, message: str, call: str = "") -> str:
    """
    Return the line of a log record, without a line feed at its end.

    Each further line of the *message*, such as a traceback's, is a line of its own with the same
    ids, marked by ``|`` where the first has ``-``: one search for an id finds them all, and none
    can be mistaken for a record.

    :param ids: the text in the bracket, made by :func:`format_ids`.
    :param call: made by :func:`format_call`.
    """
    if not call and message.isprintable() and "\\" not in message:  # nearly every line
        return f"{time} - {level} - [{ids}] - {message}"
    head = f"{time} - {level} - [{ids}]"
    if call:
        head = f"{head} [{call}]"
    message = escape(message)
    if "\n" in message:
        message = message.replace("\n", f"\n{head} | ")
    return f"{head} - {message}"


def format_text(record: Record, fields: Iterable[str] = ()) -> str:
    """
    Return the text of *record*: its line or lines, without a line feed at the end.

    :param fields: the names of the extra fields that the line shows behind the ids.
    """
    call = format_call(record.mcp_method, record.mcp_name, record.jsonrpc_id)
    shown = {name: record.extra[name] for name in fields if name in record.extra}
    ids = format_ids(record.request_id, record.session_id, record.span_id, shown)
    return format_stamped(record.time, record.level, ids, record.text, call)


# Characters that would end the bracket or the value; in a field's name also "=", which ends it.
_IN_VALUE = Pattern(rf"(?<!\\)(\\*)([{_UNSAFE}\n|\]])|(?<!\\)(\\+)(?={_ESCAPE})")
_IN_KEY = Pattern(rf"(?<!\\)(\\*)([{_UNSAFE}\n|\]=])|(?<!\\)(\\+)(?={_ESCAPE})")
_BRACKET_NAMES = frozenset({"req", "session", "span"})


def format_ids(
    request_id: str,
    session_id: str,
    span_id: str = NO_ID,
    fields: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """
    Return the text in the bracket of a line:
    ``req=a1b2c3d4|session=12345678|span=00f0…|tenant=acme``.

    :param span_id: left out when it is ``none``.
    :param fields: the program's own, by name; values are shown as their ``str()``.
    """
    # Nearly every id is letters and digits: one check in C is enough. The check of bytes takes less
    # than half of the instructions of that of text.
    is_text = type(request_id) is type(session_id) is str
    both = f"{request_id}{session_id}" if is_text else ""
    if both.isascii() and both.encode().isalnum():
        ids = f"req={request_id}|session={session_id}"
    else:
        ids = f"req={_safe_id(request_id)}|session={_safe_id(session_id)}"
    if span_id != NO_ID:
        ids = f"{ids}|span={_safe_id(span_id)}"
    if not fields:
        return ids
    for key, value in fields.items():
        name = _shown(key)
        if name.rstrip("_") in _BRACKET_NAMES:
            name = f"{name}_"
        ids = f"{ids}|{_IN_KEY.sub(_escaped, name)}={_word_in_bracket(value)}"
    return ids


def _safe_id(value: Any) -> str:
    """Return an id escaped for the bracket: ``extra=`` may give any object as an id."""
    return escape_id(_text(value))


def _word_in_bracket(value: Any) -> str:
    text = _text(value)
    if text.isalnum() and text.isascii():
        return text
    escaped: str = _IN_VALUE.sub(_escaped, text)
    return escaped


def _parse_rest_of_bracket(rest: str) -> tuple[str, dict[str, str]]:
    """Return the span and the fields in *rest*, such as ``|span=00f0…|tenant=acme``."""
    span_id, fields = NO_ID, {}
    for word in rest[1:].split("|"):
        name, _, value = word.partition("=")
        name, value = unescape(name), unescape(value)
        if name == "span":
            span_id = value
        elif name.rstrip("_") in _BRACKET_NAMES:
            fields[name[:-1]] = value
        else:
            fields[name] = value
    return span_id, fields


# Characters that would end the bracket or the word. A name may contain blanks; "#" precedes an id.
_IN_CALL = rf"[{_UNSAFE}\n\]]"
_IN_WORD = Pattern(rf"(?<!\\)(\\*)({_IN_CALL}|[ ])|(?<!\\)(\\+)(?={_ESCAPE})")
_IN_NAME = Pattern(rf"(?<!\\)(\\*)({_IN_CALL}|\A[ #]|[ ]\Z|(?<=[ ])\#)|(?<!\\)(\\+)(?={_ESCAPE})")
_CALL = Pattern(r"([^ ]+)(?: (?!#)(.+?))?(?: #([^ ]+))?")


def format_call(method: str, name: str, jsonrpc_id: str) -> str:
    """
    Return the words of a call on a line of text: ``tools/call add #7``; empty without a *method*.
    """
    if not method:
        return ""
    words = [_IN_WORD.sub(_escaped, method)]
    if name:
        words.append(_IN_NAME.sub(_escaped, name))
    if jsonrpc_id:
        words.append(f"#{_IN_WORD.sub(_escaped, jsonrpc_id)}")
    return " ".join(words)


def _parse_call(call: str | None) -> tuple[str, ...]:
    match = _CALL.fullmatch(call) if call else None
    return ("", "", "") if match is None else tuple(map(unescape, match.groups("")))


# The terminal's standard colors that are readable both on black and on white.
_ID_COLORS = tuple(f"\x1b[{code}m" for code in (31, 32, 33, 34, 35, 36, 91, 92, 94, 95, 96))


def id_color(request_id: str) -> str:
    """
    Return the escape sequence for the color of *request_id*: the same in every process.
    """
    return _ID_COLORS[sum(request_id.encode("utf-8", "replace")) % len(_ID_COLORS)]


# -- reading ---------------------------------------------------------------------------------------


def parse(text: str) -> Record | None:
    """
    Return the record that *text*, its line or lines, was written from; None when it is not one in
    any form.

    Further lines that are not stamped, such as other formatters write a traceback, belong to the
    message too.
    """
    first, *others = text.split("\n")
    record_and_end = parse_line(first)
    if record_and_end is None or not others:
        return record_and_end and record_and_end[0]
    record = record_and_end[0]
    lines = [record.message]
    for line in others:
        further = parse_line(line)
        lines.append(further[0].message if further and further[1] else line)
    return record._replace(message="\n".join(lines))


def parse_line(line: str) -> tuple[Record, bool] | None:
    """
    Return the record of one physical *line*, and whether it continues the message of an earlier one.

    None when it is not a record's line in any form. The line's first characters alone decide on
    the form.
    """
    match = HEAD.match(line)
    if match is not None:
        time_and_level, request_id, session_id, rest, call, mark = match.groups()
        time, _, level = time_and_level.partition(" - ")
        message = unescape(line[match.end() :])
        record = Record(time, level, "", message, request_id, session_id)
        if rest:
            span_id, shown = _parse_rest_of_bracket(rest)
            record = record._replace(span_id=span_id, extra=shown)
        if call:
            method, name, jsonrpc_id = _parse_call(call)
            record = record._replace(mcp_method=method, mcp_name=name, jsonrpc_id=jsonrpc_id)
        return record, mark == "|"
    fields = parse_fields(line)
    if fields is None:
        return None
    naming = _naming_of(fields)
    # Each line of ours has one of these two names, and so has each line of another formatter that
    # carries our ids.
    if naming is None and not ("timestamp" in fields or "request_id" in fields):
        return None
    return _record(fields, naming or _OWN), False


def parse_fields(line: str) -> dict[str, Any] | None:
    """
    Return the names and values of a line of JSON or logfmt, of any writer; None when it is
    neither.
    """
    return _parse_json(line) if line.startswith("{") else _parse_logfmt(line)


_TIME = Pattern(
    r"(?:(\d{4})-(\d\d)-(\d\d)(?:[T ]|\Z))?(?:(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|[+-]\d\d:?\d\d))?)?",
)


def parse_time(text: str) -> float | None:
    """
    Return the seconds since the epoch of a record's time, or None when it is not a time like ours.

    Without a zone it is local time; without a date it is today's.
    """
    from datetime import datetime, timedelta, timezone

    match = _TIME.fullmatch(text)
    if match is None or not text:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        date = datetime(int(year), int(month), int(day)) if year else datetime.today()
        when = date.replace(
            hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=0
        )
        if zone:
            hours, minutes = (0, 0) if zone == "Z" else (int(zone[:3]), int(zone[0] + zone[-2:]))
            when = when.replace(tzinfo=timezone(timedelta(hours=hours, minutes=minutes)))
        return when.timestamp() + float(f"0.{fraction or 0}")
    except (
        ValueError,
        OverflowError,
        OSError,
    ):  # the 30th of February; a year the platform cannot count from
        return None


# -- forms with names ------------------------------------------------------------------------------

# In the order of Record's own fields; a field that has its default is left out of a line.
_DEFAULTS = {
    "timestamp": None,
    "level": None,
    "logger": "",
    "message": None,
    "request_id": NO_ID,
    "session_id": NO_ID,
    "trace_id": NO_ID,
    "span_id": NO_ID,
    "mcp_method": "",
    "mcp_name": "",
    "jsonrpc_id": "",
    "exception": None,
}
_LAST = ("parent_span_id", "service")
_EXCEPTION = {f"exception.{part}": part for part in ("type", "message", "stacktrace")}
_RESERVED = frozenset({*_DEFAULTS, *_LAST, *_EXCEPTION})


class Store(NamedTuple):
    """
    The names that a log store has for the fields of a record; its lines are recognised by them.

    :param names: the store's names, by ours; a field that is not here has our name.
    :param always: fields with a fixed value that the store expects on each line.
    """

    names: Mapping[str, str]
    always: Mapping[str, str] = MappingProxyType({})


STORES: dict[str, Store] = {
    # https://www.elastic.co/docs/reference/ecs/ecs-field-reference
    "ecs": Store(
        {
            "timestamp": "@timestamp",
            "level": "log.level",
            "logger": "log.logger",
            "request_id": "http.request.id",
            "session_id": "session.id",
            "trace_id": "trace.id",
            "span_id": "span.id",
            "parent_span_id": "parent.id",
            "service": "service.name",
            "exception.type": "error.type",
            "exception.message": "error.message",
            "exception.stacktrace": "error.stack_trace",
        },
        {"ecs.version": "8.11.0"},
    ),
    # https://cloud.google.com/logging/docs/structured-logging#structured_logging_special_fields
    "gcp": Store(
        {
            "timestamp": "time",
            "level": "severity",
            "trace_id": "logging.googleapis.com/trace",
            "span_id": "logging.googleapis.com/spanId",
            "exception.type": "exception.type",
            "exception.message": "exception.message",
            "exception.stacktrace": "stack_trace",
        }
    ),
    # https://docs.datadoghq.com/standard-attributes/
    "datadog": Store(
        {
            "level": "status",
            "logger": "logger.name",
            "request_id": "http.request_id",
            "trace_id": "dd.trace_id",
            "span_id": "dd.span_id",
            "exception.type": "error.kind",
            "exception.message": "error.message",
            "exception.stacktrace": "error.stack",
        }
    ),
    # https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
    # and the semantic conventions
    "otel": Store(
        {
            "level": "severity_text",
            "logger": "otel.scope.name",
            "message": "body",
            "request_id": "asgi_trace.request_id",
            "session_id": "session.id",
            "mcp_method": "mcp.method.name",
            "jsonrpc_id": "jsonrpc.request.id",
            "service": "service.name",
            "exception.type": "exception.type",
            "exception.message": "exception.message",
            "exception.stacktrace": "exception.stacktrace",
        }
    ),
}
"""
The names of other people's log stores: one table for writing and reading lines.
"""

# Each line has these three, before the program's own fields: their names identify the store.
_ALWAYS_THERE = ("timestamp", "level", "message")


class Naming:
    """
    The names under which JSON and logfmt write a record.

    :param store: a key of :data:`STORES`; our own names, when left out.
    :param rename: other names, by ours; it outranks the store.
    :raises ValueError: for an unknown store, and where two fields would have the same name.
    """

    def __init__(self, store: str | None = None, rename: Mapping[str, str] | None = None) -> None:
        if store is not None and store not in STORES:
            raise ValueError(f"names is {store!r}; expected one of {', '.join(STORES)}")
        for ours, name in (rename or {}).items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"rename gives {name!r} to {ours!r}; expected a name")
        known = STORES[store] if store else Store({})
        self.store = store
        self.names = {**known.names, **(rename or {})}
        self.always = known.always
        # Theirs and ours: a program's field of one of these names must not be taken for ours.
        theirs = [self.names.get(name, name) for name in (*_DEFAULTS, *_LAST)]
        theirs += [self.names[name] for name in _EXCEPTION if name in self.names]
        for name in theirs:
            if theirs.count(name) > 1:
                raise ValueError(
                    f"rename gives {name!r} to more than one field; expected a name for each"
                )
        self.reserved = _RESERVED.union(theirs, self.always)
        self.flat = not _EXCEPTION.keys().isdisjoint(self.names)
        self.signs = frozenset(self.names.get(name, name) for name in _ALWAYS_THERE)


_OWN = Naming()
_READ = (_OWN, *map(Naming, STORES))


def _naming_of(fields: Mapping[str, Any]) -> Naming | None:
    """
    Return the naming of the *fields* of a line, or None where they are not a record's.

    A program's own fields may have the names of another store. They come after ours.
    """
    possible = [naming for naming in _READ if naming.signs <= fields.keys()]
    if len(possible) < 2:
        return possible[0] if possible else None
    place = {name: number for number, name in enumerate(fields)}
    return min(possible, key=lambda naming: max(place[name] for name in naming.signs))


def _fields(record: Record, naming: Naming = _OWN) -> dict[str, Any]:
    """
    Return the fields of *record*, by name. ``_`` is appended to an extra field with a name of ours.
    """
    known = zip(_DEFAULTS.items(), record, strict=False)
    fields = {name: value for (name, default), value in known if value != default}
    if record.parent_span_id:
        fields["parent_span_id"] = record.parent_span_id
    if record.service:
        fields["service"] = record.service
    if naming is not _OWN:
        fields = _renamed(fields, naming)
    for key, value in record.extra.items():
        name = _shown(key)
        name = naming.names.get(name, name) if name not in _RESERVED else name
        fields[f"{name}_" if name.rstrip("_") in naming.reserved else name] = value
    return fields


def _renamed(fields: dict[str, Any], naming: Naming) -> dict[str, Any]:
    if naming.flat and "exception" in fields:
        exception = fields.pop("exception")
        fields.update(
            (name, exception[part]) for name, part in _EXCEPTION.items() if part in exception
        )
    return {naming.names.get(name, name): value for name, value in fields.items()} | dict(
        naming.always
    )


def _record(fields: dict[str, Any], naming: Naming) -> Record:
    """Undo :func:`_fields`; accept any type of value: other programs write such lines too."""
    if naming is not _OWN:
        fields = _renamed_back(fields, naming)
    if "message" not in fields and "event" in fields:
        fields["message"] = fields.pop("event")  # as structlog calls it
    *values, exception = (fields.pop(name, None) for name in _DEFAULTS)
    if exception is not None and not isinstance(exception, dict):
        exception = {"stacktrace": _text(exception)}
    known = zip(_DEFAULTS.values(), values, strict=False)
    strings = [default or "" if value is None else _text(value) for default, value in known]
    last = [
        "" if value is None else _text(value)
        for value in (fields.pop(name, None) for name in _LAST)
    ]
    extra = {
        name[:-1] if name.rstrip("_") in naming.reserved else name: value
        for name, value in fields.items()
    }
    return Record._make([*strings, exception, extra, *last])


_GOOGLE_TRACE = Pattern(r"\Aprojects/[^/]*/traces/")


def _renamed_back(fields: dict[str, Any], naming: Naming) -> dict[str, Any]:
    """
    Return a store's *fields* under our names; ``log.level`` may also be in an object ``log``, as
    other libraries write it.
    """
    back: dict[str, Any] = {}
    for ours, theirs in naming.names.items():
        value = _take(fields, theirs)
        if value is not None:
            back[ours] = value
    for name in naming.always:
        _take(fields, name)
    exception = {part: back.pop(name) for name, part in _EXCEPTION.items() if name in back}
    if exception:
        back["exception"] = exception
    if naming.store == "gcp" and "trace_id" in back:
        back["trace_id"] = _GOOGLE_TRACE.sub("", _text(back["trace_id"]))
    return fields | back


def _take(fields: dict[str, Any], name: str) -> Any:
    """Take *name* out of *fields*, or out of an object in them."""
    if name in fields:
        return fields.pop(name)
    outer, dot, inner = name.partition(".")
    within = fields.get(outer)
    if not dot or not isinstance(within, dict):
        return None
    value = _take(within, inner)
    if value is not None and not within:
        del fields[outer]
    return value


# -- JSON ------------------------------------------------------------------------------------------


def format_json(record: Record, naming: Naming = _OWN) -> str:
    """
    Return *record* as one line of JSON, in ASCII. Never raises, for any values of extra fields.

    A value that JSON does not have is written as its ``str()``. Strings are read back unchanged,
    except two surrogates that form a pair: JSON reads them as one character.

    :param naming: the names of the fields; ours, when left out.
    """
    fields = _fields(record, naming)
    try:
        return "{" + _json_pairs(fields) + "}"
    except Exception:  # each by itself, so that one bad value does not affect the others
        pairs = (f"{_dump(name)}: {_dump(value)}" for name, value in fields.items())
        return "{" + ", ".join(pairs) + "}"


def _json_pairs(fields: Mapping[str, Any]) -> str:
    # Most values are strings: this takes a fourth of the time of the encoder on the whole dict.
    quote = _quote_json()
    return ", ".join(
        [
            f"{quote(name)}: {quote(value) if type(value) is str else _json_value(value)}"
            for name, value in fields.items()
        ]
    )


def _json_value(value: Any) -> str:
    """Return *value* as the encoder writes it; plain numbers are formatted without the encoder."""
    if type(value) is int or (type(value) is float and isfinite(value)):
        return repr(value)
    return _encode()(value)


def format_json_ids(
    request_id: str,
    session_id: str,
    trace_id: str,
    span_id: str,
    parent_span_id: str,
    service: str,
) -> str:
    """
    Return the part of a JSON line that is the same for all lines of a request, for
    :func:`format_json_line`.

    :raises TypeError: where one of them is no text.
    """
    quote = _quote_json()
    if NO_ID in (request_id, session_id, trace_id, span_id):
        names = ("request_id", "session_id", "trace_id", "span_id")
        known = zip(names, (request_id, session_id, trace_id, span_id), strict=True)
        ids = "".join([f', "{name}": {quote(value)}' for name, value in known if value != NO_ID])
    else:
        ids = (
            f', "request_id": {quote(request_id)}, "session_id": {quote(session_id)}, '
            f'"trace_id": {quote(trace_id)}, "span_id": {quote(span_id)}'
        )
    if parent_span_id:
        ids = f'{ids}, "parent_span_id": {quote(parent_span_id)}'
    if service:
        ids = f'{ids}, "service": {quote(service)}'
    return ids


def format_json_line(
    time: str, level: str, logger: str, message: str, ids: str, extra: Mapping[str, Any]
) -> str:
    """
    Return the line of a record without a call and an exception: as :func:`format_json`, in a third
    of its time.

    :param ids: made by :func:`format_json_ids`.
    """
    quote = _quote_json()
    line = (
        f'{{"timestamp": {quote(time)}, "level": {quote(level)}, "logger": {quote(logger)}, '
        f'"message": {quote(message)}{ids}'
    )
    if not extra:
        return f"{line}}}"
    if set(map(type, extra)) != {str}:  # the text of two keys may be the same
        fields = {_extra_name(_shown(key)): value for key, value in extra.items()}
        return f"{line}, {_json_pairs(fields)}}}"
    for key, value in extra.items():
        name = _json_names.get(key) or _json_name(key)
        line = f"{line}{name}{quote(value) if type(value) is str else _json_value(value)}"
    return f"{line}}}"


def _extra_name(name: str) -> str:
    return f"{name}_" if name.rstrip("_") in _OWN.reserved else name


# The names of extra fields as they stand in a line. A program's are few.
_json_names: dict[str, str] = {}
_MOST_NAMES = 512


def _json_name(key: str) -> str:
    name = f", {_quote_json()(_extra_name(key))}: "
    if len(_json_names) >= _MOST_NAMES:
        _json_names.clear()
    _json_names[key] = name
    return name


def _parse_json(line: str) -> dict[str, Any] | None:
    from json import loads

    try:
        parsed = loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


@cache
def _encode() -> Callable[[Any], str]:
    from json import JSONEncoder  # 3 ms of import, which the text form does not need

    return JSONEncoder(allow_nan=False, default=_shown).encode


@cache
def _quote_json() -> Callable[[str], str]:
    from json.encoder import encode_basestring_ascii  # raises TypeError for any other type

    return encode_basestring_ascii


def _dump(value: Any) -> str:
    try:
        return _encode()(value)
    except Exception:
        # Rare, and not worth a check beforehand: a key that is no string, NaN, a cycle, too many
        # levels, or a class with faulty methods.
        return _encode()(_plain(value, iter(range(_MOST_VALUES)), ()))


_MOST_VALUES = 10_000
_MOST_NESTED = 16


def _plain(value: Any, budget: Iterator[int], inside: tuple[int, ...]) -> Any:
    """
    Return *value* rebuilt from JSON's types, cut where it contains itself, is too deep, or exceeds
    the *budget*.
    """
    try:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, float) and isfinite(value):
            return value
        if isinstance(value, int) and int.__repr__(value):  # raises for thousands of digits
            return value
        if not isinstance(value, dict | list | tuple):
            return _shown(value)
        if id(value) in inside or len(inside) == _MOST_NESTED:
            return "..."
        inside = (*inside, id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        plain = {
            _shown(key): _plain(member, budget, inside)
            for (key, member), _ in zip(items, budget, strict=False)
        }
        return plain if isinstance(value, dict) else list(plain.values())
    except Exception:
        return _shown(value)


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)


# -- logfmt ----------------------------------------------------------------------------------------

_A_PAIR = r'[ \t]*([^ \t="]+)(=(?:"[^"\\]*(?:\\.[^"\\]*)*"|[^ \t"]*))?(?=[ \t]|\Z)'
_PAIR = Pattern(_A_PAIR)
_PAIRS = Pattern(rf"(?:{_A_PAIR})*\s*")
_NOT_IN_KEY = Pattern(r"[^\w.@/-]")
_BARE = Pattern(r'[^ "=\\]+')
_TO_QUOTE = Pattern(rf'["\\\n{_UNSAFE}]')
_TO_UNQUOTE = Pattern(r"\\(?:u([0-9a-f]{4})|(.))")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {short[1]: long for long, short in _SHORT.items()}


def format_logfmt(record: Record, naming: Naming = _OWN) -> str:
    """
    Return *record* as one line of logfmt. Never raises; invalid characters of a key become ``_``.
    """
    extra = {_NOT_IN_KEY.sub("_", _shown(key)) or "_": value for key, value in record.extra.items()}
    fields = _fields(record._replace(extra=extra), naming)
    exception = fields.pop("exception", {})
    fields.update((name, exception[part]) for name, part in _EXCEPTION.items() if part in exception)
    return _format_pairs(fields)


def _parse_logfmt(line: str) -> dict[str, Any] | None:
    fields = _parse_pairs(line)
    if fields is not None:
        exception = {part: fields.pop(name) for name, part in _EXCEPTION.items() if name in fields}
        if exception:
            fields["exception"] = exception
    return fields


def _format_pairs(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_quote(_text(value))}" for name, value in fields.items())


def _parse_pairs(text: str) -> dict[str, Any] | None:
    if _PAIRS.fullmatch(text) is None:
        return None
    # A name without a value is a flag in some libraries' lines.
    # Behind the last pair, a search for one more would begin anew at each blank.
    pairs = _PAIR.findall(text.rstrip(" \t"))
    return {name: _unquote(value[1:]) if value else "true" for name, value in pairs}


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    # The type is compared: isinstance() may run code of the value, such as a proxy's, which may
    # raise.
    if value is None or issubclass(type(value), bool | int | float | dict | list | tuple):
        return _dump(value)
    return _shown(value)


def _quote(text: str) -> str:
    if text.isprintable() and _BARE.fullmatch(text):
        return text
    return f'"{_TO_QUOTE.sub(_quoted, text)}"'


def _quoted(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _unquote(text: str) -> str:
    return _TO_UNQUOTE.sub(_unquoted, text[1:-1]) if text.startswith('"') else text


def _unquoted(match: re.Match[str]) -> str:
    code, short = match.groups()
    return chr(int(code, 16)) if code else _LONG.get(short, short)


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
        line = f"{line} parent={_quote(parent)}"
    others = {
        name: value
        for name, value in fields.items()
        if value is not None and name not in _ACCESS_WORDS
    }
    return f"{line} {_format_pairs(others)}" if others else line


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
    return line if parent is None else f"{line} parent={_quote(parent)}"


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
    others = {} if rest is None else _parse_pairs(rest)
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
