"""
JSON objects that are envelopes: they have a log line in a string, and perhaps its time and source.

A record's message is never taken for a line: an object with ids or a logger is a record, not an
envelope.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..._core.patterns import Pattern
from .beginnings import begins_log, ours
from .colors import COLORS
from .names import (
    COLLECTED,
    NO_IDS,
    PARTS,
    PODS,
    PRINTED,
    RAW,
    RAW_TEXTS,
    ROLES,
    SOURCES,
    TEXTS,
    WEAK_LEVELS,
    WEAK_TIMES,
    flat,
    may_nest,
)
from .services import in_pod, source_of_labels

__all__ = (
    "DECISIVE",
    "DOCKERS_PART",
    "JOURNAL_BYTES",
    "SHORTEST_PART",
    "TIMES",
    "Content",
    "opened",
)

DOCKERS_PART = 16_384
"""The bytes of a part of a line that Docker has split: a part has no line feed at its end."""
SHORTEST_PART = DOCKERS_PART // 4
"""The fewest characters of such a part."""
TIMES = tuple(name for name in ROLES["time"] if name not in WEAK_TIMES)
_IDS = frozenset((*ROLES["request"], *ROLES["session"], *ROLES["trace"]))
# A collector's own fields may have the names that are left out.
_LOGGERS = frozenset((*ROLES["logger"], "@level", "@fields")) - {
    "target",
    "Category",
    "name",
    "scope.name",
    "instrumentationScope.name",
}
# OpenTelemetry's names. With one of them, a text that does not begin as a line is the message of a
# record: Loki has the fields of a record among its labels.
_SEVERITIES = frozenset(("severity_text", "severityText", "SeverityText"))
# The names of a record's attributes in OpenTelemetry, and of its text; and attributes that the collector
# gives a line of a file, whose severity and ids are then what it found in the line.
_ATTRIBUTES = {"LogAttributes": "Body", "attributes": "body"}
_OF_FILES = frozenset(("log.iostream", "log.file.path", "log.file.name"))
_LEVEL_NAMES = frozenset(ROLES["level"]) - WEAK_LEVELS - {"PRIORITY"}

DECISIVE = frozenset(
    (*_IDS, *_LOGGERS, *_LEVEL_NAMES, *TEXTS, *RAW_TEXTS, *TIMES, *SOURCES, *PARTS)
)
"""The names of fields whose values decide whether an object is an envelope, and of what."""


class Content(NamedTuple):
    """The content of one envelope: line, time, source, and whether the line is only a part."""

    line: str
    time: Any
    source: str
    is_part: bool


class _Shape(NamedTuple):
    """The kind of a JSON object by its fields' names, and the names of those with a purpose."""

    raw: tuple[str, ...]  # the names of the line, where only a collector makes such an object
    collected: tuple[str, ...]  # the same, where a record may have such fields, too
    nests: bool
    is_record: bool
    is_printed: bool
    attributes: str
    ids: tuple[str, ...]
    levels: tuple[str, ...]
    severities: tuple[str, ...]
    texts: tuple[str, ...]
    times: tuple[str, ...]
    sources: tuple[str, ...]
    pods: tuple[str, ...]
    parts: tuple[str, ...]
    is_unmarked: bool  # whether its writer has no mark for a part of a line


@lru_cache(maxsize=1024)
def _shape(names: tuple[str, ...]) -> _Shape:
    """A log has few sets of names, so this is worked out for each once."""
    among = frozenset(names)
    raw = tuple(row[0] for row in (*RAW, *PRINTED) if among.issuperset(row))
    return _Shape(
        raw,
        tuple(row[0] for row in COLLECTED if among.issuperset(row)),
        any(map(may_nest, names)),
        not among.isdisjoint(_LOGGERS),
        any(among.issuperset(row) for row in PRINTED),
        next((name for name, text in _ATTRIBUTES.items() if {name, text} <= among), ""),
        tuple(among & _IDS),
        tuple(among & _LEVEL_NAMES),
        tuple(among & _SEVERITIES),
        tuple(name for name in (*TEXTS, *(RAW_TEXTS if raw else ())) if name in among),
        tuple(name for name in TIMES if name in among),
        tuple(name for name in SOURCES if name in among),
        tuple(name for name in PODS if name in among),
        tuple(name for name in PARTS if name in among),
        among.isdisjoint((*PARTS, "container_id")),  # of Docker's driver for Fluentd
    )


def opened(fields: dict[str, Any]) -> Content | None:
    """Return the content of an envelope with these *fields*; None for a record."""
    shape = _shape(tuple(fields))
    is_from_file = bool(shape.attributes) and _is_from_file(fields[shape.attributes])
    if shape.is_record and not is_from_file:
        return None
    is_printed = shape.is_printed
    is_raw = is_from_file or bool(shape.raw)
    is_collected = is_raw or bool(shape.collected)
    if shape.nests and dict in map(type, fields.values()):
        # In the place of the line there may be a record that the collector has parsed.
        is_raw = is_from_file or any(type(fields[name]) is not dict for name in shape.raw)
        is_collected = is_raw or any(type(fields[name]) is not dict for name in shape.collected)
        fields = flat(fields)
        shape = _shape(tuple(fields))
    has_ids = shape.ids and any(_is_id(fields[name]) for name in shape.ids)
    if not is_from_file and (shape.is_record or (has_ids and not is_printed)):
        return None
    if not is_raw and shape.levels and any(fields[name] not in _NO_LEVELS for name in shape.levels):
        return None
    name, line = _named_line(fields, shape.texts)
    if line is None or (is_printed and has_ids and ours(line) is None):
        return None
    is_part = any(fields[name] == PARTS[name] for name in shape.parts)
    if name == "log" and shape.is_unmarked and len(line) >= SHORTEST_PART:
        is_part = _is_dockers_part(line)
    line = line.rstrip("\r\n")
    is_message = shape.severities and any(
        fields[name] not in _NO_LEVELS for name in shape.severities
    )
    may_go_on = is_from_file or (is_collected and not is_message)
    if not may_go_on and begins_log(line) is None:
        return None
    time = None
    for name in shape.times:
        time = fields[name]
        if time not in _NOTHING:
            break
        time = None
    source = _source_in(fields, shape) if shape.sources else ""
    return _new(Content, (line, time, source, is_part))


def _is_from_file(attributes: Any) -> bool:
    return type(attributes) is dict and not _OF_FILES.isdisjoint(attributes)


def _is_dockers_part(text: str) -> bool:
    """
    Whether a *text* has the length of a part, which is always the same. Other collectors write whole
    lines of any length without a line feed.
    """
    # Each byte of a character that was cut became a replacement character, which has three.
    more = len(text.encode("utf-8", "surrogatepass")) - DOCKERS_PART
    is_as_long = 0 <= more <= 2 * text.count("\ufffd") and more % 2 == 0
    return is_as_long and not text.endswith("\n")


def _named_line(fields: dict[str, Any], names: Sequence[str]) -> tuple[str, str | None]:
    """
    Return the first text of *fields* with one of these *names* that is not empty, else the first
    empty one, and its name; None without any.
    """
    empty: tuple[str, str | None] = "", None
    for name in names:
        value = fields[name]
        if type(value) is list and name == "MESSAGE":
            value = _from_bytes(value)
        elif type(value) is dict and name == "Body" and "ServiceName" in fields:
            value = _as_text(value)  # a column of a collector's table: JSON, or a map
        if type(value) is not str:
            continue
        if value:
            return name, value
        if empty[1] is None:
            empty = name, value
    return empty


def _source_in(fields: dict[str, Any], shape: _Shape) -> str:
    for name in shape.sources:
        value = fields[name]
        # A session's scope has the name of no service: a program in it has its own identifier.
        if value and type(value) is str and not value.endswith(".scope"):
            is_labels = value.startswith("{")
            return source_of_labels(value) if is_labels else in_pod(name, fields, shape.pods)
    return ""


_NOTHING = (None, "")
# Of a record that a collector did not parse: OpenTelemetry's number, and names of Google Cloud and
# OpenShift.
_NO_LEVELS = (*_NOTHING, 0, "0", "DEFAULT", "UNSPECIFIED", "default", "unknown")
# Half of the time that Content() takes.
_new = tuple.__new__


JOURNAL_BYTES = Pattern(rb'M(?<="M)ESSAGE"\s*:\s*\[')
"""The beginning of a text that the journal writes as a list of bytes, behind its first quote."""


def _from_bytes(numbers: list[Any]) -> str:
    """Return a text that the journal writes as a list of bytes, since it has unprintable ones."""
    try:
        return COLORS.sub("", bytes(numbers).decode("utf-8", "replace"))
    except (TypeError, ValueError):
        return ""


def _as_text(fields: dict[str, Any]) -> str:
    from json import dumps

    try:
        return dumps(fields)
    except RecursionError:
        return ""


def _is_id(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or value not in NO_IDS)
