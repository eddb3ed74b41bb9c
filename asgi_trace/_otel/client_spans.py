"""
A CLIENT span for each call through one of our hooks, and the duration of such calls.

Only the class of an exception is recorded: its message often contains the whole URL.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-client
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from threading import get_ident
from time import perf_counter, time_ns
from typing import Any, TypeVar
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode

from .._core.current import get_request_metadata
from .._core.faults import report_once
from .._core.masks import Masks
from .._core.request import RequestMetadata
from .._core.scope import masks_of
from .._core.tracecontext import RANDOM, TraceContext
from .._outgoing.client_spans import client_spans, resends_after
from .attributes import (
    Attributes,
    as_text,
    method_attributes,
    span_name,
    type_name,
)
from .ids import TRACER, next_span, remote_span, trace_of
from .metrics import NO_METERS, ClientMetrics

__all__ = ("end_lost_spans", "span_provider", "tracer_of", "use_client_spans")

_T = TypeVar("_T")

# The provider of the current request's span; set by RequestSpans.
span_provider: ContextVar[trace.TracerProvider | None] = ContextVar(
    "asgi_trace_span_provider", default=None
)

_PORTS = {"http": 80, "https": 443}

# A key that OpenTelemetry's instrumentations and exporters set while they send a request.
_SUPPRESSED_HTTP = otel_context._SUPPRESS_HTTP_INSTRUMENTATION_KEY
_SUPPRESSED = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, _SUPPRESSED_HTTP)

# Spans of calls without a last event. They are ended later: a retry may follow, or the garbage
# collector runs while a lock of the SDK is held, for which a span's end would wait.
_lost: deque[_ClientSpan] = deque()


def use_client_spans() -> None:
    """Make a span for each call through the hooks for HTTP clients."""
    client_spans.begin = _begin


# In seconds: a retry, if there is one, begins within this time, in the thread of the call.
_RETRY_BEGINS = 1


def end_lost_spans(*, at_exit: bool = False) -> None:
    """End the spans of calls that ended without a last event."""
    for _ in range(len(_lost)):
        try:
            span = _lost.popleft()
        except IndexError:  # another thread has it
            return
        if at_exit or span.is_over():
            span.end_lost()
        else:
            _lost.append(span)


def _begin(method: str, url: str, *, resends: int, after: _ClientSpan | None) -> _ClientSpan | None:
    """Start the span of a call; None where no tracer is set up, or a library has made the span."""
    end_lost_spans()
    provider = span_provider.get() or trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    request = get_request_metadata()
    current = trace.get_current_span()
    if after is not None and current is after.span:
        context = after.context  # a redirect that is followed inside the call
    elif _is_foreign_client(current) or any(map(otel_context.get_value, _SUPPRESSED)):
        return None
    else:
        context = _context_of(request, current)
    resends = resends_after(after, resends)
    attributes = _attributes(method, url, masks_of(request))
    if resends:
        attributes["http.request.resend_count"] = resends
    token = next_span.set(None)  # that one is for the request's own span
    try:
        span = tracer_of(provider).start_span(
            span_name(attributes), context=context, kind=SpanKind.CLIENT, attributes=attributes
        )
    finally:
        next_span.reset(token)
    made = span.get_span_context()
    parent = trace.get_current_span(context).get_span_context()
    # Without an SDK the span's context is invalid, or it is that of the parent.
    if not made.is_valid or made.span_id == parent.span_id:
        return None
    return _ClientSpan(span, context, attributes, resends, request)


def _context_of(request: RequestMetadata | None, current: Span) -> Context:
    """
    Return the context of a call: OpenTelemetry's current one, or that of the *request* in a thread
    or a job where no span is current.
    """
    context = otel_context.get_current()
    if request is None:
        return context
    around = current.get_span_context()
    if around.is_valid and (
        request._calling_span is None or trace.format_trace_id(around.trace_id) == request.trace_id
    ):
        return context
    parent = remote_span(request.trace, request.tracestate)
    return trace.set_span_in_context(NonRecordingSpan(parent), context)


def _is_foreign_client(span: Span) -> bool:
    if not span.is_recording() or getattr(span, "kind", None) is not SpanKind.CLIENT:
        return False
    scope = getattr(span, "instrumentation_scope", None)
    return getattr(scope, "name", "") != TRACER


def _attributes(method: str, url: str, masks: Masks) -> Attributes:
    parts = urlsplit(url)
    path, query = masks.path(parts.path), masks.query(parts.query)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
    attributes = method_attributes(method)
    attributes["url.full"] = as_text(f"{shown}?{query}" if query else shown)
    attributes["server.address"] = as_text(parts.hostname or "")
    try:
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # out of range: the client will refuse it
        port = None
    if port is not None:
        attributes["server.port"] = port
    return attributes


class _ClientSpan:
    """The span of one call, from its start until :meth:`end`."""

    def __init__(
        self,
        span: Span,
        context: Context,
        attributes: Attributes,
        resends: int,
        request: RequestMetadata | None,
    ) -> None:
        self.span = span
        self.context = context
        self.resends = resends
        self.status: int | None = None
        self.trace = _place_of(span, request)
        self.tracestate = span.get_span_context().trace_state.to_header()
        self._attributes = attributes
        self._retries = 0
        self._began = perf_counter()
        self._failed = ""  # the class of an error that the client may retry after
        self._stopped: tuple[float, int] | None = None  # the time of that error, by both clocks
        self._thread: int | None = None  # the thread in which a retry may begin
        self._is_ended = False

    def run(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call *function* in the span."""
        context = trace.set_span_in_context(self.span, self.context)
        token = otel_context.attach(otel_context.set_value(_SUPPRESSED_HTTP, True, context))
        try:
            return function(*args, **kwargs)
        finally:
            otel_context.detach(token)

    def note(self, error: BaseException, *, is_last: bool) -> None:
        """Keep the class of *error*, and the time."""
        if self._is_ended or self._is_replaced():
            return
        self._failed = type_name(error)
        self._stopped = perf_counter(), time_ns()
        if is_last:
            self._thread = get_ident()
            _lost.append(self)

    def note_retry(self) -> None:
        """Count one more attempt."""
        self._retries += 1
        self._failed, self._stopped = "", None

    def end(
        self,
        *,
        status: int | None = None,
        error: BaseException | None = None,
        retries: int = 0,
        version: str | None = None,
    ) -> None:
        """End the span, unless an instrumentation of the client has made one of its own."""
        if self._is_ended or self._is_replaced():
            return
        self._retries += retries
        self.status = status
        if status is not None:
            self._attributes["http.response.status_code"] = status
            self._failed, self._stopped = "", None
        if version:
            self._attributes["network.protocol.version"] = version
        if error is not None:
            self._failed = type_name(error)
        self._end()

    def _is_replaced(self) -> bool:
        """
        Discard the span if an instrumentation inside the client has made one of its own: the call's
        headers have the ids of that span.
        """
        current = trace.get_current_span()
        if not self._is_ended and _is_foreign_client(current):
            self.trace = trace_of(current.get_span_context(), None)
            self.discard()
        return self._is_ended

    def _end(self) -> None:
        self._is_ended = True
        stopped, time = self._stopped or (perf_counter(), None)
        try:
            self._describe(stopped - self._began)
        except Exception:
            report_once("describing the span of an outgoing call")
        try:
            self.span.end(time)
        except Exception:
            report_once("ending the span of an outgoing call")

    def _describe(self, seconds: float) -> None:
        attributes = self._attributes
        self.resends += self._retries
        if self.resends:
            attributes["http.request.resend_count"] = self.resends
        if self.status is not None and self.status >= 400:
            attributes["error.type"] = str(self.status)
        elif self._failed:
            attributes["error.type"] = self._failed
        if "error.type" in attributes:
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.set_attributes(attributes)
        instruments = _instruments()
        if instruments is not None:
            context = trace.set_span_in_context(self.span, Context())
            instruments.record(seconds, attributes, context)

    def discard(self) -> None:
        """Discard the span: a span that is never ended is not exported."""
        self._is_ended = True

    def end_lost(self) -> None:
        """End the span, unless a retry is running."""
        if not self._is_ended and self._stopped is not None:
            self._end()

    def is_over(self) -> bool:
        """Whether it is too late for a retry."""
        stopped = self._stopped
        if stopped is None or self._thread in (None, get_ident()):
            return True
        return perf_counter() - stopped[0] > _RETRY_BEGINS

    def __del__(self) -> None:
        if not self._is_ended:
            self._thread = None
            self._stopped = self._stopped or (perf_counter(), time_ns())
            _lost.append(self)


def _place_of(span: Span, request: RequestMetadata | None) -> TraceContext:
    place = trace_of(span.get_span_context(), None)
    if request is None or place.trace_id != request.trace_id:
        return place
    # Older SDKs have no flag for a random trace id.
    return place._replace(flags=place.flags | request.trace.flags & RANDOM)


class _Made:
    """The tracer and instruments of the last call, each with its provider."""

    tracer: tuple[trace.TracerProvider, trace.Tracer] | None = None
    instruments: ClientMetrics | None = None


def tracer_of(provider: trace.TracerProvider) -> trace.Tracer:
    """Return the tracer of *provider* for calls and jobs."""
    known = _Made.tracer
    if known is not None and known[0] is provider:
        return known[1]
    tracer = provider.get_tracer(TRACER, schema_url="https://opentelemetry.io/schemas/1.40.0")
    _Made.tracer = provider, tracer
    return tracer


def _instruments() -> ClientMetrics | None:
    """Return the instruments of the meter provider; None where none is set up."""
    provider = metrics.get_meter_provider()
    if type(provider).__name__ in NO_METERS:
        return None
    if _Made.instruments is None or _Made.instruments.provider is not provider:
        _Made.instruments = ClientMetrics(provider, TRACER)
    return _Made.instruments
