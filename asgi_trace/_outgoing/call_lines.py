"""
One log line for each outgoing call, on the logger ``asgi_trace.calls``, when the call is over.

This module uses no client and no tracer: :class:`LoggedCall` has the methods of a tracer's span,
and calls those of the span, if there is one. Only the class of an exception is logged: its message
often contains the whole URL.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

from .._core.access_lines import CALLS_LOGGER, format_outgoing
from .._core.current import bound_request_metadata, get_request_metadata
from .._core.faults import own_logger, report_once
from .._core.masks import Masks
from .._core.own_lines import write_line
from .._core.request import RequestMetadata
from .._core.scope import masks_of
from .._core.tracecontext import TraceContext
from .client_spans import SpanOfCall, begin_span, resends_after

__all__ = ("LoggedCall", "begin_logged")

_T = TypeVar("_T")

# Deleted calls without an end from the client. Their lines are written with the next call: the
# garbage collector may run while a handler holds its lock.
_lost: deque[LoggedCall] = deque()


def begin_logged(
    method: str, url: str, *, resends: int = 0, after: SpanOfCall | None = None
) -> SpanOfCall | None:
    """
    Return the object that writes the line of a call; it wraps the call's span.

    The arguments are those of :func:`begin_span`.
    """
    _write_lost()
    inner = after.span if isinstance(after, LoggedCall) else after
    span = begin_span(method, url, resends=resends, after=inner)
    try:
        return LoggedCall(method, url, resends_after(after, resends), span)
    except Exception:
        report_once("starting the line of an outgoing call")
        return span


def _write_lost() -> None:
    while _lost:
        try:
            call = _lost.popleft()
        except IndexError:  # another thread has it
            return
        call._write()


class LoggedCall:
    """
    One call, from its start until its response begins or it fails; then its line is written.

    :param span: the tracer's span of the call, where there is one.
    """

    def __init__(self, method: str, url: str, resends: int, span: SpanOfCall | None) -> None:
        self.span = span
        self.resends = resends
        self.status: int | None = None
        self.trace: TraceContext | None = None
        self.tracestate = "" if span is None else span.tracestate
        self._request: RequestMetadata | None = get_request_metadata()
        if span is not None:
            self.trace = span.trace
        elif self._request is not None:
            self.trace = TraceContext(*self._request._call_trace())
        self._target = _target(method, url, masks_of(self._request))
        self._error = ""
        self._began = perf_counter()
        self._seconds: float | None = None  # until the end, or until an error before a retry
        self._is_written = False

    def run(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call *function* in the span."""
        if self.span is None:
            return function(*args, **kwargs)
        return self.span.run(function, *args, **kwargs)

    def note(self, error: BaseException, *, is_last: bool) -> None:
        """Keep the class of *error*; the line is written if this is the last one of the attempt."""
        if self.span is not None:
            self.span.note(error, is_last=is_last)
        if self._is_written:
            return
        self._error = type(error).__name__
        self._seconds = perf_counter() - self._began
        is_cancelled = not isinstance(error, Exception)  # there is no retry after that
        if is_last or is_cancelled:
            self._write()

    def note_retry(self) -> None:
        """Begin one more attempt, which has a line of its own."""
        if self.span is not None:
            self.span.note_retry()
        self.resends += 1
        self._began, self._seconds = perf_counter(), None
        self.status, self._error, self._is_written = None, "", False

    def end(
        self,
        *,
        status: int | None = None,
        error: BaseException | None = None,
        retries: int = 0,
        version: str | None = None,
    ) -> None:
        """Write the line, unless it is written already."""
        if self.span is not None:
            self.span.end(status=status, error=error, retries=retries, version=version)
        if self._is_written:
            return
        self.resends += retries
        self.status = status
        if status is not None:
            self._error, self._seconds = "", None
        if error is not None:
            self._error = type(error).__name__
        self._write()

    def discard(self) -> None:
        """Write no line: the call was never sent."""
        if self.span is not None:
            self.span.discard()
        self._is_written = True

    def _write(self) -> None:
        self._is_written = True
        try:
            log = own_logger(CALLS_LOGGER)
            if log.isEnabledFor(logging.INFO):
                fields = self._fields()
                with bound_request_metadata(self._request):
                    write_line(log, format_outgoing(fields), fields)
        except Exception:
            report_once("writing the line of an outgoing call")

    def _fields(self) -> dict[str, Any]:
        seconds = perf_counter() - self._began if self._seconds is None else self._seconds
        fields: dict[str, Any] = {**self._target}
        if self.status is not None:
            fields["status"] = self.status
        elif self._error:
            fields["error"] = self._error
        fields["duration_ms"] = int(seconds * 10_000 + 0.5) / 10
        fields["attempt"] = self.resends + 1
        # An instrumentation inside the client may have made the call's span meanwhile.
        place = self.trace if self.span is None else self.span.trace
        if place is not None:
            fields["call_span_id"] = place.span_id
        return fields

    def __del__(self) -> None:
        if not getattr(self, "_is_written", True):
            if self._seconds is None:
                self._seconds = perf_counter() - self._began
            _lost.append(self)


def _target(method: str, url: str, masks: Masks) -> dict[str, str]:
    """Return method, host and path of a call, without the secrets in them."""
    from urllib.parse import urlsplit  # only needed where calls are logged

    parts = urlsplit(url)
    path, query = masks.path(parts.path) or "/", masks.query(parts.query)
    return {
        "method": method,
        "host": parts.netloc.rpartition("@")[2],
        "path": f"{path}?{query}" if query else path,
    }
