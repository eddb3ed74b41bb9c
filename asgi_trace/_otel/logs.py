"""
Log records for OpenTelemetry, with the ids of their lines.

https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from copy import copy

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from .._core.calls import Call
from .._core.current import get_request_metadata
from .._core.record import NO_ID
from .._core.scope import masks_of
from .._core.tracecontext import SAMPLED
from .._logging.records import CALL, IDS, SERVER_ACCESS_LOGGERS, STAMPED, stamp
from .attributes import REQUEST, SESSION, call_attributes

__all__ = ("RequestLogHandler",)

# In a server's access line: the path after the method, and the query of any URL.
_PATH = re.compile(r'(?<=[A-Z] )/[^\s"?]*')
_QUERY = re.compile(r'(?<=\?)[^\s"]+')


class RequestLogHandler(logging.Handler):
    """
    Pass records to *handler*, a handler of OpenTelemetry's, with the ids of their lines.

    OpenTelemetry gives a record the span that is current when the record is handled. That is too
    late for a server's line about a crash, and the wrong context for a queue's listener. This
    handler gives each record the span of its request. The session id and the request id are
    attributes, as on spans.

    Records of OpenTelemetry's own loggers, and those made during an export, are not passed on: an
    exporter that fails would otherwise export its failures. In the access lines of servers,
    secrets of path and query are masked, as on spans.

    :param handler: such as ``LoggingHandler()`` of
        ``opentelemetry.instrumentation.logging.handler``.

    .. versionadded:: 0.1
    """

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(handler.level)
        self._handler = handler

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a copy of *record* on: other handlers get the record itself."""
        if _is_of_an_export(record):
            return
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        stamp(record)
        record = copy(record)
        if record.name in SERVER_ACCESS_LOGGERS:
            _mask_access_line(record)
        attributes = vars(record)
        words = {name: attributes.pop(name) for name in STAMPED & attributes.keys()}
        request_id, session_id, trace_id, span_id = (words[name] for name in IDS)
        if request_id == NO_ID:
            self._handler.emit(record)
            return
        call = Call(*(words.get(name) for name in CALL))
        attributes.update({SESSION: session_id, REQUEST: request_id} | call_attributes(call))
        current = trace.get_current_span().get_span_context()
        # for example, in a child of the request's span
        if trace.format_trace_id(current.trace_id) == trace_id:
            self._handler.emit(record)
            return
        request = get_request_metadata()
        flags = request.trace.flags if request and request.trace_id == trace_id else SAMPLED
        try:
            span = SpanContext(
                int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(flags)
            )
        except (TypeError, ValueError):  # extra= set these names to ids of another kind
            self._handler.emit(record)
            return
        token = otel_context.attach(trace.set_span_in_context(NonRecordingSpan(span)))
        try:
            self._handler.emit(record)
        finally:
            otel_context.detach(token)

    def flush(self) -> None:
        """Flush the handler that records are passed to."""
        # OpenTelemetry's handler flushes in a new thread, which an ending interpreter cannot start.
        with suppress(RuntimeError):
            self._handler.flush()


def _mask_access_line(record: logging.LogRecord) -> None:
    """Mask the secrets in the path and the queries of *record*, a server's access line."""
    masks = masks_of(get_request_metadata())
    text = _PATH.sub(lambda match: masks.path(match[0]), record.getMessage())
    record.msg = _QUERY.sub(lambda match: masks.query(match[0]), text)
    record.args = None


def _is_of_an_export(record: logging.LogRecord) -> bool:
    """Whether *record* is OpenTelemetry's own, or was logged while telemetry is exported."""
    if record.name == "opentelemetry" or record.name.startswith("opentelemetry."):
        return True
    return bool(otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY))
