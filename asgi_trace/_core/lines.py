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
:data:`.record.STORES`.

Nothing in a message can be mistaken for another line, or for another field. This module uses no
logging, requests or files. :mod:`.access_lines` has the messages of lines about requests and calls.

:func:`parse` reads one record whole. The readers of logs need to be faster: they use :data:`HEAD`,
:func:`parse_fields` and :data:`.record.STORES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from .escapes import UNSAFE, escape, escape_id, escaped, escapes_of, unescape
from .logfmt import format_pairs, parse_pairs
from .patterns import Pattern
from .record import (
    NO_ID,
    OWN_NAMING,
    Naming,
    Record,
    fields_of,
    flatten_exception,
    naming_of,
    nest_exception,
    record_of,
)
from .values import dump_json, json_or_text, json_value, quote_json, text_of

__all__ = (
    "HEAD",
    "SESSION_LENGTH",
    "format_call",
    "format_ids",
    "format_json",
    "format_json_ids",
    "format_json_line",
    "format_logfmt",
    "format_stamped",
    "format_text",
    "id_color",
    "parse",
    "parse_fields",
    "parse_line",
    "short_session",
)

# -- text ------------------------------------------------------------------------------------------


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
_IN_VALUE = escapes_of(rf"[{UNSAFE}\n|\]]")
_IN_KEY = escapes_of(rf"[{UNSAFE}\n|\]=]")
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
        name = text_of(key)
        if name.rstrip("_") in _BRACKET_NAMES:
            name = f"{name}_"
        ids = f"{ids}|{_IN_KEY.sub(escaped, name)}={_word_in_bracket(value)}"
    return ids


def _safe_id(value: Any) -> str:
    """Return an id escaped for the bracket: ``extra=`` may give any object as an id."""
    return escape_id(json_or_text(value))


def _word_in_bracket(value: Any) -> str:
    text = json_or_text(value)
    if text.isalnum() and text.isascii():
        return text
    return _IN_VALUE.sub(escaped, text)


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
_IN_CALL = rf"[{UNSAFE}\n\]]"
_IN_WORD = escapes_of(rf"{_IN_CALL}|[ ]")
_IN_NAME = escapes_of(rf"{_IN_CALL}|\A[ #]|[ ]\Z|(?<=[ ])\#")
_CALL = Pattern(r"([^ ]+)(?: (?!#)(.+?))?(?: #([^ ]+))?")


def format_call(method: str, name: str, jsonrpc_id: str) -> str:
    """
    Return the words of a call on a line of text: ``tools/call add #7``; empty without a *method*.
    """
    if not method:
        return ""
    words = [_IN_WORD.sub(escaped, method)]
    if name:
        words.append(_IN_NAME.sub(escaped, name))
    if jsonrpc_id:
        words.append(f"#{_IN_WORD.sub(escaped, jsonrpc_id)}")
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
    naming = naming_of(fields)
    # Each line of ours has one of these two names, and so has each line of another formatter that
    # carries our ids.
    if naming is None and not ("timestamp" in fields or "request_id" in fields):
        return None
    return record_of(fields, naming or OWN_NAMING), False


def parse_fields(line: str) -> dict[str, Any] | None:
    """
    Return the names and values of a line of JSON or logfmt, of any writer; None when it is
    neither.
    """
    return _parse_json(line) if line.startswith("{") else _parse_logfmt(line)


# -- JSON ------------------------------------------------------------------------------------------


def format_json(record: Record, naming: Naming = OWN_NAMING) -> str:
    """
    Return *record* as one line of JSON, in ASCII. Never raises, for any values of extra fields.

    A value that JSON does not have is written as its ``str()``. Strings are read back unchanged,
    except two surrogates that form a pair: JSON reads them as one character.

    :param naming: the names of the fields; ours, when left out.
    """
    fields = fields_of(record, naming)
    try:
        return "{" + _json_pairs(fields) + "}"
    except Exception:  # each by itself, so that one bad value does not affect the others
        pairs = (f"{dump_json(name)}: {dump_json(value)}" for name, value in fields.items())
        return "{" + ", ".join(pairs) + "}"


def _json_pairs(fields: Mapping[str, Any]) -> str:
    # Most values are strings: this takes a fourth of the time of the encoder on the whole dict.
    quote = quote_json()
    return ", ".join(
        [
            f"{quote(name)}: {quote(value) if type(value) is str else json_value(value)}"
            for name, value in fields.items()
        ]
    )


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
    quote = quote_json()
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
    quote = quote_json()
    line = (
        f'{{"timestamp": {quote(time)}, "level": {quote(level)}, "logger": {quote(logger)}, '
        f'"message": {quote(message)}{ids}'
    )
    if not extra:
        return f"{line}}}"
    if set(map(type, extra)) != {str}:  # the text of two keys may be the same
        fields = {_extra_name(text_of(key)): value for key, value in extra.items()}
        return f"{line}, {_json_pairs(fields)}}}"
    for key, value in extra.items():
        name = _json_names.get(key) or _json_name(key)
        line = f"{line}{name}{quote(value) if type(value) is str else json_value(value)}"
    return f"{line}}}"


def _extra_name(name: str) -> str:
    return f"{name}_" if name.rstrip("_") in OWN_NAMING.reserved else name


# The names of extra fields as they stand in a line. A program's are few.
_json_names: dict[str, str] = {}
_MOST_NAMES = 512


def _json_name(key: str) -> str:
    name = f", {quote_json()(_extra_name(key))}: "
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


# -- logfmt ----------------------------------------------------------------------------------------

_NOT_IN_KEY = Pattern(r"[^\w.@/-]")


def format_logfmt(record: Record, naming: Naming = OWN_NAMING) -> str:
    """
    Return *record* as one line of logfmt. Never raises; invalid characters of a key become ``_``.
    """
    extra = {
        _NOT_IN_KEY.sub("_", text_of(key)) or "_": value for key, value in record.extra.items()
    }
    fields = fields_of(record._replace(extra=extra), naming)
    flatten_exception(fields)
    return format_pairs(fields)


def _parse_logfmt(line: str) -> dict[str, Any] | None:
    fields = parse_pairs(line)
    if fields is not None:
        nest_exception(fields)
    return fields
