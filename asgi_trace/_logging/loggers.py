"""
The ids for structlog and loguru: a processor and a patcher.

This module handles the events of both libraries, and the standard library's log records. It imports
neither library.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

from .._core.current import get_request_metadata
from .._core.exceptions import metadata_of
from .._core.record import NO_ID
from .._core.request import RequestMetadata
from . import records
from .records import CALL, IDS, STAMPED, stamp

__all__ = ("loguru_patcher", "structlog_processor")

_Event = MutableMapping[str, Any]


def structlog_processor(
    logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """
    Give a structlog event its ``request_id``, ``session_id`` (all of it), ``trace_id`` and
    ``span_id``.

    In a request with a traced caller there is ``parent_span_id`` too, in a call to an MCP server
    ``mcp_method``, ``mcp_name`` and ``jsonrpc_id``, and the fields of ``metadata.fields``, unless
    the event has a key of that name.

    Outside a request it adds nothing, and does not change keys of the same names; inside, it
    replaces them. The ids of an exception's request outrank those of the current one: so put this
    processor before ``format_exc_info`` and similar ones, which remove the exception. In a
    ``ProcessorFormatter`` the standard library's records keep the ids that
    :func:`~asgi_trace.configure_logging` or :func:`~asgi_trace.stamp_records` gave them when they
    were logged.

    :param logger: not used; an argument of structlog's.
    :param method_name: not used either.
    :param event_dict: the event, which is changed and returned.

    .. versionadded:: 0.1
    """
    ids, fields = _ids(_exception(event_dict.get("exc_info")), event_dict.get("_record"))
    event_dict.update(ids)
    for name, value in fields.items():
        event_dict.setdefault(f"{name}_" if name in _STRUCTLOGS else name, value)
    return event_dict


def loguru_patcher(record: Mapping[str, Any]) -> None:
    """
    Give a loguru record its ``request_id``, ``session_id`` (all of it), ``trace_id`` and
    ``span_id``, in ``extra``.

    In a request with a traced caller there is ``parent_span_id`` too, in a call to an MCP server
    ``mcp_method``, ``mcp_name`` and ``jsonrpc_id``, and the fields of ``metadata.fields``, unless
    ``bind`` has set one of that name.

    For ``logger.configure(patcher=loguru_patcher)``. It runs where the line is logged: sinks with
    ``enqueue=True`` keep the ids. The ids of an exception's request outrank those of the current
    one. Outside a request they are ``none``, or the values that ``bind`` has set: loguru would lose
    a line if its format named a missing key.

    :param record: the record, whose ``extra`` is changed.

    .. versionadded:: 0.1
    """
    exception = record["exception"]
    extra = record["extra"]
    ids, fields = _ids(None if exception is None else exception.value)
    extra.update(ids)
    for name, value in fields.items():
        extra.setdefault(name, value)
    for name in IDS:
        extra.setdefault(name, NO_ID)
    if _take_ids not in records._on_untraced:
        records._on_untraced += (_take_ids,)


def _take_ids(record: logging.LogRecord) -> None:
    """
    Give a record that loguru made for a handler of logging the ids that its line has: with
    ``enqueue=True``, loguru makes the record in a thread of its own, which serves no request.
    """
    extra = vars(record).get("extra")  # loguru's name for it
    if isinstance(extra, dict) and all(isinstance(extra.get(name), str) for name in IDS):
        for name in _NAMES:
            if extra.get(name) is not None:
                vars(record).setdefault(name, extra[name])


_NAMES = (*IDS, *CALL, "parent_span_id")
# Keys of an event that structlog itself uses.
_STRUCTLOGS = frozenset({"event", "exc_info", "stack_info"})


def _ids(exc: BaseException | None, record: Any = None) -> tuple[dict[str, Any], dict[str, object]]:
    """
    Return the ids and the call, as far as they are known, and the program's own fields.

    They are those of the request that raised *exc*, those on a log *record*, or those of the
    current request.
    """
    metadata = None if exc is None else metadata_of(exc)
    if metadata is None:
        metadata = get_request_metadata()
        if isinstance(record, logging.LogRecord):
            return _ids_of_record(record, metadata)
    if metadata is None:
        return {}, {}
    ids = (metadata.request_id, metadata.session_id, metadata.trace_id, metadata.span_id)
    words = (*ids, *metadata._call, metadata.parent_span_id)
    known = {name: word for name, word in zip(_NAMES, words, strict=True) if word is not None}
    return known, _fields_of(metadata)


def _ids_of_record(
    record: logging.LogRecord, current: RequestMetadata | None
) -> tuple[dict[str, Any], dict[str, object]]:
    stamp(record)
    carried = vars(record)
    known = {name: carried[name] for name in _NAMES if carried.get(name, NO_ID) != NO_ID}
    # A record from a queue has its fields among those of extra=: structlog's ExtraAdder shows them.
    if current is not None and current.request_id == known.get("request_id"):
        return known, _fields_of(current)
    return known, {}


def _fields_of(metadata: RequestMetadata) -> dict[str, object]:
    """Return the program's own fields; ``_`` is appended to one with the name of an id."""
    kept = metadata._fields
    if not kept:
        return {}
    fields = {}
    for key, value in kept.copy().items():  # another thread may add a field meanwhile
        name = str(key)
        fields[f"{name}_" if name.rstrip("_") in STAMPED else name] = value
    return fields


def _exception(exc_info: Any) -> BaseException | None:
    """
    Return the exception of structlog's *exc_info*: an exception, a triple, or any true value for
    the current exception.
    """
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None
