"""
The fields of lines that are neither JSON nor logfmt as a whole: pairs with Python's values, and JSON
behind a message.

A message may have a client's text. This module does not interpret the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from ..._core.lines import parse_fields
from ..._core.patterns import Pattern

__all__ = ("console_fields", "is_in_utc", "is_of_zap", "python_pairs")

# -- pairs -----------------------------------------------------------------------------------------

_PAIR = r"([\w.]+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^'\"\s]+)(?: |\Z)"
_ONE_PAIR = Pattern(_PAIR)
_PAIRS = Pattern(rf"(?:{_PAIR})+\Z")


def python_pairs(line: str) -> dict[str, Any] | None:
    """
    Return the pairs in a *line* of structlog's ``KeyValueRenderer``, whose values are Python's
    ``repr()``; None for any other line.
    """
    if "='" not in line or _PAIRS.match(line) is None:
        return None
    return {
        name: _unquoted(value) if value[0] in "'\"" else value
        for name, value in _ONE_PAIR.findall(line)
    }


# What repr() writes: of another escape, Python warns on the terminal.
_OF_REPR = Pattern(
    r"(?:[^\\]|\\(?:[\\'\"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}))*\Z", re.DOTALL
)


def _unquoted(value: str) -> str:
    from ast import literal_eval

    if "\\" not in value or _OF_REPR.match(value) is None:
        return value[1:-1]
    try:
        return str(literal_eval(value))
    except (ValueError, SyntaxError):
        return value[1:-1]


# -- fields in JSON behind a message ----------------------------------------------------------------

# Caddy's times are in UTC.
_IN_UTC = Pattern(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}\t(?:[A-Z]{4,6}|[a-z]{4,6})\t")
# zap: time, level, and a logger and a place in the code, each of which may be missing. A message has
# a client's text: the fields begin at the only tab behind it. Where blanks are in the place of tabs,
# the place in the code shows that zap wrote the line.
_CALLER = r"[\w./@+~-]{1,300}\.(?:go|s):\d{1,7}"
_TIME_OF_ZAP = r"([\d/-]{10}[ T][\d:.]{8,18}(?:Z|[+-]\d\d:?\d\d)?|1\.\d{4,18}e\+09)"
_BEGIN_OF_ZAP = Pattern(rf"{_TIME_OF_ZAP}\t(?:[A-Z]{{4,6}}|[a-z]{{4,6}}|LEVEL\(-\d+\))\t")
_OF_ZAP = Pattern(
    rf"{_TIME_OF_ZAP}(?:"
    rf"\t([A-Z]{{4,6}}|[a-z]{{4,6}}|LEVEL\(-\d+\))\t(?:([\w./-]{{1,200}})\t)??(?:{_CALLER}\t)?([^\t]*)\t(?=\{{)"
    rf"| {{1,4}}([A-Z]{{4,6}}|[a-z]{{4,6}}) {{1,4}}(?:([\w./-]{{1,200}}) {{1,4}})??{_CALLER} {{1,4}}(?=\S))"
)
# Monolog, of Symfony and Laravel: [time] channel.LEVEL: message context extra. Symfony's manual puts a
# token behind the time.
_OF_MONOLOG = Pattern(
    r"\[(\d{4}-\d\d-\d\d[T ][\d:.]{8,15}(?:Z|[+-]\d\d:\d\d)?)\] (?:\[([^\[\]]{0,128})\] )?([\w.-]{1,100})"
    r"\.(DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY): "
)
_TOKEN_OF_REQUEST = Pattern(r"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_EXCEPTION_OF_MONOLOG = '"exception":"[object] ('
_MOST_TRIED = 16
# They would count before the names of these writers.
_BEFORE_THEIRS = frozenset(
    ["timestamp", "@timestamp", "time", "_time", "asctime", "level_name", "message", "event"]
)


def is_in_utc(line: str) -> bool:
    """Whether the time without a zone that begins a *line* is in UTC."""
    return _IN_UTC.match(line) is not None


def is_of_zap(line: str) -> bool:
    """Whether a *line* begins as those of zap on a terminal: the lines of a stack may follow it."""
    return _BEGIN_OF_ZAP.match(line) is not None


def console_fields(line: str) -> dict[str, Any] | None:
    """
    Return the fields of a *line* of zap, which Caddy and Kubernetes' controllers use, or of Monolog,
    if it has some behind its message; None for any other line.
    """
    if line.startswith("["):
        match = _OF_MONOLOG.match(line)
        return None if match is None else _fields_of_monolog(match)
    match = _OF_ZAP.match(line) if line.endswith("}") else None
    if match is None:
        return None
    time, level, logger, message, level_before_blank, logger_before_blank = match.groups("")
    if level:
        fields = parse_fields(line[match.end() :])
    else:
        level, logger = level_before_blank, logger_before_blank
        fields, start = _last_object(line, match.end())
        message = line[match.end() : start].rstrip(" ")
    if fields is None:
        return None
    zone = "Z" if is_in_utc(line) else ""
    of_zap = {"ts": f"{time}{zone}", "level": "DEBUG" if "(" in level else level, "msg": message}
    return _beside(fields, {**of_zap, "logger": logger} if logger else of_zap)


def _last_object(line: str, start: int) -> tuple[dict[str, Any] | None, int]:
    """Return the object at the end of *line* behind a blank, and its place, which is not before *start*."""
    for place in _places_of_values(line, start):
        fields = parse_fields(line[place:]) if line[place] == "{" else None
        if fields is not None:
            return fields, place
    return None, 0


def _places_of_values(line: str, start: int) -> Iterator[int]:
    """Yield the places behind a blank where an object or a list of JSON may begin; not many of them."""
    yield from (match.end() for match in islice(_VALUE.finditer(line, start - 1), _MOST_TRIED))


_VALUE = Pattern(r" (?=[{\[])")


def _beside(fields: dict[str, Any], of_writer: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* with those *of_writer*, which count also where a program has the same names."""
    renamed = {
        f"{name}_" if name in of_writer or name in _BEFORE_THEIRS else name: value
        for name, value in fields.items()
    }
    return {**renamed, **of_writer}


def _fields_of_monolog(match: re.Match[str]) -> dict[str, Any] | None:
    """
    Return the fields of a line with a context and extra values at its end.

    Laravel leaves out those that are empty, but not the blanks around them: a client's text at the
    end of a message has two blanks behind it.
    """
    line = match.string
    text = line.rstrip(" ")
    blanks = len(line) - len(text)
    for place in _places_of_values(text, match.end()):
        context, end = _value_at(text, place)
        if context is None:
            continue
        fields = _object(context)
        if end == len(text) and blanks < 2:
            return _of_monolog(match, place, fields)
        if blanks or text[end : end + 1] != " ":
            continue
        behind = end + 1
        extra, end = _value_at(text, behind)
        if extra is None or end < len(text):
            continue
        others = _object(extra)
        # Of Laravel, where the blank at the end was cut off: the first one is the message's.
        if others and " " in match[1]:
            return _of_monolog(match, behind, others)
        beside = others if "extra" in fields else {"extra": others}
        return _of_monolog(match, place, {**beside, **fields})
    return _fields_before_exception(match, text)


def _fields_before_exception(match: re.Match[str], text: str) -> dict[str, Any] | None:
    """Return the same for Laravel's exceptions, whose line feeds are bare: the object goes on below."""
    start = text.rfind(_EXCEPTION_OF_MONOLOG)
    if start < 0:
        return None
    exception = text[start + len('"exception":"') :]
    before = text[:start].rstrip(",")
    for place in _places_of_values(before, match.end()):
        fields = parse_fields(f"{before[place:]}}}") if before[place] == "{" else None
        if fields is not None or before[place:] == "{":
            return _of_monolog(match, place, {**(fields or {}), "exception": exception})
    return None


def _of_monolog(match: re.Match[str], end: int, fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* with those before them: a message, up to the blank before *end*, and others."""
    time, token, channel, level = match.groups()
    if token and _TOKEN_OF_REQUEST.fullmatch(token):
        fields = {"request_id": token, **fields}
    message = match.string[match.end() : end - 1].rstrip(" ")
    return _beside(
        fields, {"timestamp": time, "level_name": level, "message": message, "channel": channel}
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _value_at(text: str, place: int) -> tuple[Any, int]:
    """Return the object or list of JSON that begins at a *place* of *text*, and its end; None for any other text."""
    from json import JSONDecoder

    if text[place : place + 1] not in ("{", "["):
        return None, place
    with suppress(ValueError, RecursionError):
        return JSONDecoder().raw_decode(text, place)
    return None, place
