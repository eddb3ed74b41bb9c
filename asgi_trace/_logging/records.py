"""
The ids of a request on its log records, as public attributes: this is called stamping.

:func:`stamp_records` is the one place where this package changes a class of the standard library:
it gives ``logging.Handler`` a ``filter`` method that stamps the record and then calls the inherited
one. Each handler calls it first, in the thread and context of the caller, so no list of handlers
and no record factory is needed: every handler of any logger is covered, whenever it is set up. A
patch of ``Handler.handle`` would cover as many, but would add a frame to the stack, where loguru's
``InterceptHandler`` counts frames to find the caller.

A handler class with its own ``filter`` or ``handle``, or one whose ``emit`` is called by another
handler, may not call that method. For these, ``Handler.format`` does the same.

This module does not use formatters, ASGI or other libraries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from sys import modules
from typing import Any

from .._core.access_lines import ACCESS_LOGGER, CALLS_LOGGER
from .._core.current import bound, elsewhere, get_request_metadata
from .._core.exceptions import metadata_of
from .._core.lines import short_session
from .._core.made_records import unset_factory
from .._core.record import NO_ID
from .._core.request import CALL_NAMES, RequestMetadata

__all__ = (
    "RequestTracingFilter",
    "attribute_of",
    "checked_length",
    "field_of",
    "is_placeholder",
    "stamp",
    "stamp_records",
    "stamps_records",
)

IDS = ("request_id", "session_id", "trace_id", "span_id")
"""The attributes that each stamped record has."""

CALL = CALL_NAMES
"""The attributes of a record in a call to an MCP server, in the order of a call's words."""

STAMPED = frozenset({*IDS, *CALL, "parent_span_id"})
SERVER_ACCESS_LOGGERS = frozenset(
    {"uvicorn.access", "hypercorn.access", "anycorn.access", "granian.access", "gunicorn.access"}
)
"""The loggers to which servers write their access lines."""

_OWN_LOGGERS = frozenset({ACCESS_LOGGER, CALLS_LOGGER})
_IDS = frozenset(IDS)

# Not logging.makeLogRecord(): that calls the record factory, which may be the program's own.
OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "asctime",
    "message",
    "taskName",
}
"""The attributes that logging itself gives to a record."""

# An attribute must not hide the method.
_TAKEN = STAMPED | OWN | {"getMessage"}


def attribute_of(field: object) -> str:
    """
    Return the name of the record attribute for a *field* of the program; ``_`` is appended to a
    name that is in use.
    """
    name = field if isinstance(field, str) else str(field)
    return f"{name}_" if name.rstrip("_") in _TAKEN else name


def field_of(attribute: str) -> str:
    """Undo :func:`attribute_of`."""
    return (
        attribute[:-1] if attribute.endswith("_") and attribute.rstrip("_") in _TAKEN else attribute
    )


def _request_of(record: logging.LogRecord) -> RequestMetadata | None:
    # A server may log an exception after the request, and in another context: the exception carries
    # its own request, which outranks the variable.
    if record.exc_info and record.exc_info[1] is not None:
        metadata = metadata_of(record.exc_info[1])
        if metadata is not None:
            return metadata
    return get_request_metadata()


# The attributes of records of this class are read and set one by one: once ``__dict__`` was read,
# each later read of an attribute may take 300 instructions more. A class of the program's own may
# compute attributes: of its records the dict is read.
_LogRecord = logging.LogRecord

# CPython reads at most 30 attributes of a class's objects in its fast way: those that were set
# first in the process. The ids are set here, before the program sets attributes of its own.
_first: Any = logging.LogRecord("", logging.INFO, "", 0, "", (), None)
_first.message = _first.request_id = _first.session_id = _first.trace_id = _first.span_id = ""


def stamp(record: logging.LogRecord, lacks_span: bool = False) -> None:
    """
    Give *record* the ids of its request, its call to an MCP server, and the program's own fields.
    Never raises.

    The record then has ``request_id``, ``session_id``, ``trace_id`` and ``span_id``, ``none``
    outside a request. An attribute that it has already, from ``extra=`` or from an earlier call, is
    kept, unless it is None.

    :param lacks_span: the caller has seen that the record is of logging's class, and has no
        ``span_id``.
    """
    try:
        # For nearly all records, the variable alone is read: 400 instructions less than
        # get_request_metadata() takes.
        is_bound = not record.exc_info and elsewhere.module not in modules
        metadata = bound() if is_bound else _request_of(record)
        if metadata is not None:
            ids = metadata._ids or metadata._line_ids()
            if (
                len(ids) == 4
                and (lacks_span or _lacks_span(record))
                and not hasattr(record, "request_id")
                and not hasattr(record, "session_id")
                and not hasattr(record, "trace_id")
            ):
                stamped: Any = record
                stamped.request_id = ids["request_id"]
                stamped.session_id = ids["session_id"]
                stamped.trace_id = ids["trace_id"]
                stamped.span_id = ids["span_id"]
            else:
                _give_ids(record.__dict__, ids)
            values = metadata._values
            if values is not None and "fields" in values:
                _give_fields(record, values["fields"])
            return
    except Exception:
        pass  # For example, an exception's attribute raises: the line is still written.
    for watcher in _on_untraced:
        watcher(record)
    attributes = record.__dict__
    for name in IDS:
        if attributes.setdefault(name, NO_ID) is None:
            attributes[name] = NO_ID


def _give_ids(attributes: dict[str, Any], ids: Mapping[str, str]) -> None:
    for name, given in ids.items():
        value = attributes.setdefault(name, given)
        if value is not given and is_placeholder(value):
            attributes[name] = given


def is_placeholder(value: object) -> bool:
    """
    Whether *value* is no id, but what a program's own record factory or filter sets where it finds
    none.
    """
    return value is None or (type(value) is str and value in ("", "-"))


def _lacks_span(record: logging.LogRecord) -> bool:
    return type(record) is _LogRecord and not hasattr(record, "span_id")


def _give_fields(record: logging.LogRecord, fields: dict[str, object]) -> None:
    give = record.__dict__.setdefault
    # A copy: another thread may add a field meanwhile.
    for field, value in fields.copy().items():
        kept = give(attribute_of(field), value)
        # On a line of our own loggers, names such as "client" are in use, too.
        if kept is not value and record.name in _OWN_LOGGERS:
            give(f"{field}_", value)


_Handlers = Callable[[logging.Handler], None]

# Set by the module that gives handlers their forms: called for a handler that writes for the first
# time, or with a new formatter; and for a record that has no request, before its ids are ``none``.
_on_new_handler: _Handlers | None = None
_on_untraced: tuple[Callable[[logging.LogRecord], None], ...] = ()


def watch(new_handler: _Handlers | None) -> None:
    """
    Call *new_handler* with each handler that writes for the first time, or with a new formatter.
    """
    global _on_new_handler
    _on_new_handler = new_handler


NEVER = object()
"""The last formatter of a handler that has never written; None would mean that it had none."""

# The former Handler.filter: inherited, unless another library has defined it there.
_STANDARD_FILTER = logging.Filterer.filter
_inherited: Callable[[logging.Handler, logging.LogRecord], Any] = _STANDARD_FILTER


def _filter(self: logging.Handler, record: logging.LogRecord) -> Any:
    """Stamp *record*, and do what ``Handler.filter`` does."""
    # One look for the first handler of a record, four for the others.
    if type(record) is not _LogRecord:
        stamp(record)
    elif not hasattr(record, "span_id"):
        stamp(record, True)
    elif not (
        hasattr(record, "request_id")
        and hasattr(record, "session_id")
        and hasattr(record, "trace_id")
    ):
        stamp(record)
    if _on_new_handler is not None and self._asgi_trace_met is not self.formatter:  # type: ignore[attr-defined]
        _on_new_handler(self)
    if self.filters or _inherited is not _STANDARD_FILTER:
        return _run_filters(self, record)
    return True


def _run_filters(handler: logging.Handler, record: logging.LogRecord) -> Any:
    """
    Do what ``Handler.filter`` does. In a request, a handler that has its form from us keeps the
    request's id.

    A filter may set a ``request_id`` of the program's own, as BentoML's does. In our bracket it
    would not be the id of the response.
    """
    if type(record) is not _LogRecord or not hasattr(handler, "_asgi_trace_form"):
        return _inherited(handler, record)
    stamped: Any = record
    request_id, is_in_request = stamped.request_id, stamped.trace_id is not NO_ID
    passed = _inherited(handler, record)
    # Since CPython 3.12, a filter may return another record, which the handler then writes.
    written: Any = passed if type(passed) is _LogRecord else record
    if is_in_request and getattr(written, "request_id", None) is not request_id:
        written.request_id = request_id
    return passed


# The standard Handler.format; and the former one, which another library may have changed.
_STANDARD_FORMAT = _inherited_format = logging.Handler.format


def _format(self: logging.Handler, record: logging.LogRecord) -> str:
    """Stamp *record* where :func:`_filter` was not called, and do what ``Handler.format`` does."""
    if "span_id" not in record.__dict__:
        stamp(record)
    formatter = self.formatter
    if _on_new_handler is not None and self._asgi_trace_met is not formatter:  # type: ignore[attr-defined]
        _on_new_handler(self)
        form: Callable[[logging.LogRecord], str] | None = getattr(self, "_asgi_trace_form", None)
        if form is not None and self.format is form:
            return form(record)
    if formatter is not None and _inherited_format is _STANDARD_FORMAT:
        return formatter.format(record)  # the same result, with one call less for each line
    return _inherited_format(self, record)


def stamp_records() -> None:
    """
    Add the ids to each record that a handler of this process writes. No handler, form or level is
    changed.

    Records get ``request_id``, ``session_id``, ``trace_id`` and ``span_id`` as attributes, ``none``
    outside a request; in a request also the fields of its ``metadata.fields``, and its caller's
    span and its call to an MCP server where known. So ``%(request_id)s`` works in any format, and
    formatters that print extra fields print them. A value that ``extra=`` sets under one of these
    names is kept on that line.

    It gives ``logging.Handler`` a ``filter`` and a ``format`` method; a second call changes nothing
    more.

    .. versionadded:: 0.1
    """
    global _inherited, _inherited_format
    current: Any = vars(logging.Handler).get("filter")
    if current is _filter or stamps_records():
        return
    _inherited = current or _STANDARD_FILTER
    _inherited_format = logging.Handler.format
    logging.Handler._asgi_trace_met = NEVER  # type: ignore[attr-defined]
    # setattr(), since type checkers do not allow these assignments.
    setattr(logging.Handler, "filter", _filter)  # noqa: B010
    setattr(logging.Handler, "format", _format)  # noqa: B010


def stamps_records() -> bool:
    """
    Whether each record that a handler of this process writes is stamped; also where another library
    has wrapped the patch since.
    """
    return hasattr(logging.Handler, "_asgi_trace_met")


def unstamp_records() -> None:
    """
    Undo :func:`stamp_records`, for tests; a patch that another library has wrapped is kept.
    """
    global _inherited
    unset_factory()
    if vars(logging.Handler).get("filter") is not _filter:
        return
    if _inherited is _STANDARD_FILTER:
        del logging.Handler.filter
    else:
        setattr(logging.Handler, "filter", _inherited)  # noqa: B010
    _inherited = _STANDARD_FILTER
    if logging.Handler.format is _format:
        setattr(logging.Handler, "format", _inherited_format)  # noqa: B010
    del logging.Handler._asgi_trace_met  # type: ignore[attr-defined]


class RequestTracingFilter(logging.Filter):
    """
    Give each log record ``request_id``, ``session_id``, ``trace_id`` and ``span_id``: ``none``
    outside a request.

    For programs that call neither :func:`~asgi_trace.configure_logging` nor
    :func:`~asgi_trace.stamp_records`. Add it to handlers: a filter on a logger is not called for
    records of the logger's children. No record is dropped.

    :param name: as in :class:`logging.Filter`: with a name, records of other loggers are dropped.
    :param session_length: the number of characters to which a long session id is cut, on the record
        and so for all handlers after this one; None for the whole id. An id that a client chose is
        never cut.
    :raises ValueError: when *session_length* is no whole number above 0.

    .. versionadded:: 0.1
    """

    def __init__(self, name: str = "", *, session_length: int | None = None) -> None:
        super().__init__(name)
        self._session_length = checked_length(session_length)

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp *record*; return true unless its logger is excluded by the filter's name."""
        if not record.__dict__.keys() >= _IDS:
            stamp(record)
        if self._session_length is not None:
            record.session_id = short_session(str(record.session_id), self._session_length)  # type: ignore[attr-defined]
        return not self.name or bool(super().filter(record))


def checked_length(length: int | None) -> int | None:
    """Return *length*, or raise :exc:`ValueError` when it is no number of characters."""
    if length is not None and (type(length) is not int or length < 1):
        raise ValueError(
            f"session_length is {length!r}; expected a whole number above 0, or None for all of it"
        )
    return length
