"""
The log records of a test, by request: the fixture ``traced`` of the plugin for pytest.

Records are collected where loggers pass them to handlers, so that the code under test may change
the logging set-up without losing them. This module does not use pytest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any

from .._core.current import bound_request_metadata
from .._core.ids import generate_request_id
from .._core.request import RequestMetadata
from .records import stamp

__all__ = ("Traced", "captured")

_HEADER = "X-Request-ID"


class Traced:
    """
    The log records of a test, in order; each has the ids of its request as attributes.

    A request is given by its id, by its :class:`~asgi_trace.RequestMetadata`, or by its response:
    any object whose headers include ``X-Request-ID``.

    .. versionadded:: 0.1
    """

    def __init__(self) -> None:
        self._records: list[logging.LogRecord] = []

    def records(self, request: object = None) -> list[logging.LogRecord]:
        """
        Return the records that *request* logged, or by default those of the whole test.

        :param request: a request id, its metadata, or the response to it; ``"none"`` for records
            outside of requests.
        :raises ValueError: where *request* is none of these.
        """
        if request is None:
            return [*self._records]
        wanted = _id_of(request)
        return [record for record in self._records if vars(record).get("request_id") == wanted]

    def lines(self, request: object = None) -> list[str]:
        """
        Return the messages that *request* logged, and the lines of their tracebacks: the text of
        log lines after time, level and ids.

        :param request: as in :meth:`records`.
        :raises ValueError: as :meth:`records` does.
        """
        return [line for record in self.records(request) for line in _lines_of(record)]

    @contextmanager
    def request(
        self, *, request_id: str | None = None, session_id: str | None = None
    ) -> Iterator[RequestMetadata]:
        """
        Make a request the current one inside the ``with`` block, and return its metadata.

        For code that is called in a request and does not serve one.

        :param request_id: of the request; generated, when left out.
        :param session_id: of its session; none, when left out.
        """
        metadata = RequestMetadata(session_id, request_id or generate_request_id())
        with bound_request_metadata(metadata):
            yield metadata


def _id_of(request: Any) -> str:
    if isinstance(request, str):
        return request
    if isinstance(request, RequestMetadata):
        return request.request_id or "none"
    headers = getattr(request, "headers", None)
    if not isinstance(headers, Mapping):
        kind = type(request).__name__
        raise ValueError(
            f"the request is of type {kind}; expected its id, its metadata, or the response to it"
        )
    request_id = next(
        (headers[name] for name in headers if str(name).lower() == _HEADER.lower()), None
    )
    if request_id is None:
        raise ValueError(
            f"the response has no {_HEADER}: wrap the app under test, app = RequestTracingMiddleware(app); "
            "where the shim has another header_name, give the id itself"
        )
    return str(request_id)


_FORMATTER = logging.Formatter()


def _lines_of(record: logging.LogRecord) -> list[str]:
    try:
        text = _FORMATTER.format(copy(record))  # a copy: a formatter sets attributes of the record
    except Exception:  # arguments that do not fit: logging reports them itself
        text = str(record.msg)
    return text.splitlines() or [""]


@contextmanager
def captured() -> Iterator[Traced]:
    """
    Collect the records of the process inside the ``with`` block, from INFO on where no level is
    set.
    """
    traced = Traced()
    call_handlers = logging.Logger.callHandlers

    def keep(logger: logging.Logger, record: logging.LogRecord) -> None:
        stamp(record)
        traced._records.append(record)
        call_handlers(logger, record)

    root = logging.root
    level = root.level
    if level == logging.WARNING:
        root.setLevel(logging.INFO)
    logging.Logger.callHandlers = keep  # type: ignore[method-assign, assignment]
    try:
        yield traced
    finally:
        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]
        if root.level == logging.INFO:
            root.setLevel(level)
