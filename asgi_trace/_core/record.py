"""
A log record, and the names of its fields in JSON and logfmt: ours, and those of log stores.

This module works on dicts of fields. :mod:`.lines` writes and reads them as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .patterns import Pattern
from .values import json_or_text, text_of

__all__ = (
    "NO_ID",
    "OWN_NAMING",
    "STORES",
    "Naming",
    "Record",
    "Store",
    "fields_of",
    "flatten_exception",
    "naming_of",
    "nest_exception",
    "record_of",
)

NO_ID = "none"
"""The word on a line in place of an id, outside a request."""


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


OWN_NAMING = Naming()
_READ = (OWN_NAMING, *map(Naming, STORES))


def naming_of(fields: Mapping[str, Any]) -> Naming | None:
    """
    Return the naming of the *fields* of a line, or None where they are not a record's.

    A program's own fields may have the names of another store. They come after ours.
    """
    possible = [naming for naming in _READ if naming.signs <= fields.keys()]
    if len(possible) < 2:
        return possible[0] if possible else None
    place = {name: number for number, name in enumerate(fields)}
    return min(possible, key=lambda naming: max(place[name] for name in naming.signs))


def fields_of(record: Record, naming: Naming = OWN_NAMING) -> dict[str, Any]:
    """
    Return the fields of *record*, by name. ``_`` is appended to an extra field with a name of ours.
    """
    known = zip(_DEFAULTS.items(), record, strict=False)
    fields = {name: value for (name, default), value in known if value != default}
    if record.parent_span_id:
        fields["parent_span_id"] = record.parent_span_id
    if record.service:
        fields["service"] = record.service
    if naming is not OWN_NAMING:
        fields = _renamed(fields, naming)
    for key, value in record.extra.items():
        name = text_of(key)
        name = naming.names.get(name, name) if name not in _RESERVED else name
        fields[f"{name}_" if name.rstrip("_") in naming.reserved else name] = value
    return fields


def _renamed(fields: dict[str, Any], naming: Naming) -> dict[str, Any]:
    if naming.flat:
        flatten_exception(fields)
    renamed = {naming.names.get(name, name): value for name, value in fields.items()}
    return {**renamed, **naming.always}


def flatten_exception(fields: dict[str, Any]) -> None:
    """Replace the object ``exception`` in *fields* by its parts: ``exception.type`` and so on."""
    exception = fields.pop("exception", {})
    for name, part in _EXCEPTION.items():
        if part in exception:
            fields[name] = exception[part]


def nest_exception(fields: dict[str, Any]) -> None:
    """Undo :func:`flatten_exception`."""
    exception = {part: fields.pop(name) for name, part in _EXCEPTION.items() if name in fields}
    if exception:
        fields["exception"] = exception


def record_of(fields: dict[str, Any], naming: Naming) -> Record:
    """Undo :func:`fields_of`; accept any type of value: other programs write such lines too."""
    if naming is not OWN_NAMING:
        fields = _renamed_back(fields, naming)
    if "message" not in fields and "event" in fields:
        fields["message"] = fields.pop("event")  # as structlog calls it
    *values, exception = (fields.pop(name, None) for name in _DEFAULTS)
    if exception is not None and not isinstance(exception, dict):
        exception = {"stacktrace": json_or_text(exception)}
    known = zip(_DEFAULTS.values(), values, strict=False)
    strings = [default or "" if value is None else json_or_text(value) for default, value in known]
    last = [
        "" if value is None else json_or_text(value)
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
    nest_exception(back)
    if naming.store == "gcp" and "trace_id" in back:
        back["trace_id"] = _GOOGLE_TRACE.sub("", json_or_text(back["trace_id"]))
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
