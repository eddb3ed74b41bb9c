"""
The ids for structlog and loguru: a processor and a patcher.

This module handles the events of both libraries, and the standard library's log records. It imports neither library.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

from ..current import get_request_metadata
from ..exceptions import metadata_of
from ..logging import record_ids
from ..records import NO_ID

__all__ = ("loguru_patcher", "structlog_processor")

_Event = MutableMapping[str, Any]

_NAMES = ("request_id", "session_id", "trace_id", "span_id")
_CALL_NAMES = ("mcp_method", "mcp_name", "jsonrpc_id")


def structlog_processor(
    logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """
    Give a structlog event its ``request_id``, ``session_id`` (all of it), ``trace_id`` and ``span_id``; of a call to an
    MCP server also ``mcp_method``, ``mcp_name`` and ``jsonrpc_id``.

    Outside a request it adds nothing, and leaves keys of the same names alone; inside, the request's own win. An
    exception that a request has raised outranks the current one: so stand before ``format_exc_info`` and its like,
    which take the exception away. In a ``ProcessorFormatter`` the standard library's records keep the ids of where
    they were logged, as :func:`~asgi_trace.configure_logging` and :class:`~asgi_trace.RequestTracingFilter` found them.

    :param logger: not used; structlog hands it over.
    :param method_name: not used either.
    :param event_dict: the event, which is changed and returned.

    .. versionadded:: 0.1
    """
    record = event_dict.get("_record")
    event_dict.update(_ids(_exception(event_dict.get("exc_info")), record))
    return event_dict


def loguru_patcher(record: Mapping[str, Any]) -> None:
    """
    Give a loguru record its ``request_id``, ``session_id`` (all of it), ``trace_id`` and ``span_id``, in ``extra``; of
    a call to an MCP server also ``mcp_method``, ``mcp_name`` and ``jsonrpc_id``.

    For ``logger.configure(patcher=loguru_patcher)``. It runs where the line is logged: sinks with ``enqueue=True`` keep
    the ids. An exception that a request has raised outranks the current one. Outside a request they are ``none``, or
    what ``bind`` has made them: a format that names a key that is not there costs loguru the line.

    :param record: the record, whose ``extra`` is changed.

    .. versionadded:: 0.1
    """
    exception = record["exception"]
    extra = record["extra"]
    extra.update(_ids(None if exception is None else exception.value))
    for name in _NAMES:
        extra.setdefault(name, NO_ID)


def _ids(exc: BaseException | None, record: Any = None) -> dict[str, str]:
    """Return those ids that there are: of the request that raised *exc*, of a log *record*, or of the current one."""
    metadata = None if exc is None else metadata_of(exc)
    found: tuple[str | None, ...] = ()
    if metadata is None and isinstance(record, logging.LogRecord):
        *stamped, call = record_ids(record)
        found = *stamped, *call
    elif metadata := metadata or get_request_metadata():
        ids = [metadata.request_id, metadata.session_id, metadata.trace_id, metadata.span_id]
        found = *ids, metadata.mcp_method, metadata.mcp_name, metadata.jsonrpc_id
    names = _NAMES + _CALL_NAMES
    return {name: value for name, value in zip(names, found, strict=False) if value is not None and value != NO_ID}


def _exception(exc_info: Any) -> BaseException | None:
    """Return the exception that structlog means by *exc_info*: itself, a triple, or anything true for the current."""
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None
