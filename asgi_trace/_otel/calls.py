"""
Spans of calls to MCP servers, and OpenTelemetry's current context while their handlers run.

A call has one SERVER span of its own: the SDK's where it makes one, else the span of the HTTP
request, unless the call's ``_meta`` names another caller; else one that this module makes.
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from sys import modules
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from .._core.current import get_request_metadata
from .._core.exceptions import is_failure
from .._core.faults import report_once
from .._core.request import RequestMetadata
from .._mcp.spans import Caller, CallSpan, call_spans
from .attributes import (
    call_attributes,
    exception_attributes,
    field_attributes,
    id_attributes,
    span_name,
    type_name,
)
from .client_spans import span_provider
from .contexts import context_of, keep_context, marked
from .ids import (
    TRACER,
    NextSpan,
    SpanState,
    adapt,
    call_joins,
    has_span,
    incoming_context,
    next_span,
    remote_span,
    take,
    trace_of,
)

__all__ = ("is_span_of_call", "use_call_spans")

# The late value of a request: whether the call that it carries has a span of its own.
_CALL_SPAN = "call_span"

# The instrumentation scopes of the SDKs that make a SERVER span for each message.
_SDKS = frozenset({"mcp-python-sdk", "fastmcp"})
_SDK_MODULES = ("mcp.server._otel", "fastmcp.server.telemetry")


def use_call_spans() -> None:
    """Join the spans that the SDKs make, and make a span for a message that has none."""
    call_spans.begin = _begin
    call_joins.join = _join_sdk_span


def _has_call_span(request: RequestMetadata) -> bool:
    """Whether the call that *request* carries has a span of its own, beside the HTTP request's."""
    return bool(request._kept(_CALL_SPAN))


def is_span_of_call(request: RequestMetadata) -> bool:
    """Whether the span of the HTTP request is that of the call which *request* carries."""
    if _has_call_span(request):
        return False
    # The call's own span is made later, since the handler may run after the HTTP request.
    makes_spans = call_spans.is_used or any(map(modules.__contains__, _SDK_MODULES))
    return not (makes_spans and _is_answered_elsewhere(request))


def _is_answered_elsewhere(request: RequestMetadata) -> bool:
    """Whether *request* is a POST of the older SSE transport, whose replies are on one stream."""
    return b"session_id=" in getattr(request, "_query_string", b"")


def _join_sdk_span(span: Any, parent: Context | None) -> bool:
    """
    Give the current request the ids of *span*, if that is the SDK's span of the request's call.

    Return whether *span* is an SDK's.
    """
    if span.instrumentation_scope.name not in _SDKS:
        return False
    request = get_request_metadata()
    if request is not None and not _has_call_span(request) and _is_of_call(span, request):
        _take_span(request, span, otel_context.get_current() if parent is None else parent)
    return True


def _is_of_call(span: Any, request: RequestMetadata) -> bool:
    """Whether the SDK has made *span* for the call that *request* carries."""
    called = request.mcp_method
    if called is not None:
        # In a handler, the SDK itself may handle a further message, such as "tools/list".
        method = (span.attributes or {}).get("mcp.method.name", span.name.partition(" ")[0])
        return bool(method == called)
    # Not a plain request whose handler calls a server in its own process.
    return request.transport_type == "streamable-http" or _is_answered_elsewhere(request)


def _take_span(request: RequestMetadata, span: Any, context: Context) -> None:
    """
    Make *span*, with the parent that is current in *context*, the span of the call that *request*
    carries. The span of the HTTP request becomes a link.
    """
    made = span.get_span_context()
    parent = trace.get_current_span(context).get_span_context()
    around = _link_of(request)
    if around is not None and around.span_id != parent.span_id:
        span.add_link(around)
    request._late_values()[_CALL_SPAN] = True
    # The trace of an untrusted client stays the SDK's own.
    if made.trace_id != int(request.trace_id, 16) and not request._is_trusted:
        return
    if around is not None and made.trace_id != around.trace_id:
        request.linked_trace = request.trace
    parent_span_id = trace.format_span_id(parent.span_id) if parent.is_valid else None
    take(request, trace_of(made, parent_span_id))
    span.set_attributes(id_attributes(request))
    keep_context(request, trace.set_span_in_context(span, context))


def _link_of(request: RequestMetadata) -> Any:
    """Return OpenTelemetry's context of the span of the HTTP request; None without such a span."""
    if not has_span(request):
        return None
    current = trace.get_current_span(context_of(request)).get_span_context()
    if current.is_valid and trace.format_span_id(current.span_id) == request.span_id:
        return current
    return remote_span(request.trace)


def _begin(request: RequestMetadata, caller: Caller | None) -> CallSpan:
    provider = span_provider.get() or trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return CallSpan()
    adapt(provider)
    call_joins.join = _join_sdk_span
    span = _OwnSpan(request, provider)
    if not has_span(request):
        span.enter(incoming_context(request), NextSpan(request))
        return span
    awaited = NextSpan(request)
    awaited.state = SpanState.NAMED  # its ids are its own
    context = context_of(request)
    if caller is not None and caller.trace.span_id != request.parent_span_id:
        request._late_values().update(tracestate=caller.tracestate, baggage=caller.baggage)
        span.enter(_context_from(caller, context), awaited)
    elif _is_answered_elsewhere(request):
        span.enter(context, awaited)
    else:
        span.enter(context, None)  # the span of the HTTP request is the call's
    return span


def _context_from(caller: Caller, context: Context) -> Context:
    """Return *context* with *caller* as the current span."""
    parent = remote_span(caller.trace, caller.tracestate)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), context)


class _OwnSpan(CallSpan):
    """A call, in the SDK's span or in one of ours."""

    _span: Span | None = None

    def __init__(self, request: RequestMetadata, provider: trace.TracerProvider) -> None:
        self._request = request
        self._provider = provider

    def enter(self, context: Context, awaited: NextSpan | None) -> None:
        """
        Make *context* the current one.

        :param awaited: the span that is still to be made; None if the HTTP request's span is used.
        """
        self._context = context = marked(context, self._request)
        self._awaited = awaited
        self._next: Token[NextSpan | None] = next_span.set(awaited)
        self._attached = otel_context.attach(context)

    def run(self) -> AbstractContextManager[None]:
        return self._run()

    @contextmanager
    def _run(self) -> Iterator[None]:
        token = None
        try:
            if self._awaited is not None and not _has_call_span(self._request):
                token = self._start(self._awaited)
        except Exception:
            report_once("starting the span of an MCP message")
        try:
            yield
        finally:
            if token is not None:
                otel_context.detach(token)

    def _start(self, awaited: NextSpan) -> Any:
        current = trace.get_current_span()
        made = current.get_span_context()
        if current is not trace.get_current_span(self._context) and not current.is_recording():
            # The SDK has made a span, and the sampler has dropped it: no processor was called.
            take(self._request, trace_of(made, self._request.parent_span_id))
            return None
        request = self._request
        awaited.is_ours = True
        attributes = call_attributes(request._call)
        name = span_name({"http.request.method": "HTTP", **attributes})
        span = self._provider.get_tracer(TRACER).start_span(
            name, self._context, SpanKind.SERVER, attributes
        )
        made = span.get_span_context()
        if not made.is_valid or made.is_remote:
            return None
        _take_span(request, span, self._context)
        self._span = span
        return otel_context.attach(trace.set_span_in_context(span, self._context))

    def end(self) -> None:
        try:
            otel_context.detach(self._attached)
            next_span.reset(self._next)
        except ValueError:  # closed from another context
            pass
        if self._span is None:
            return
        try:
            self._describe(self._span)
            self._span.end()
        except Exception:
            report_once("ending the span of an MCP message")

    def _describe(self, span: Span) -> None:
        request = self._request
        if not span.is_recording():
            return
        attributes = call_attributes(request._call) | id_attributes(request)
        if request._fields:
            span.set_attributes(field_attributes(request, attributes))
        if self.raised is not None and is_failure(self.raised):
            attributes["error.type"] = type_name(self.raised)
            span.set_status(Status(StatusCode.ERROR))
            span.add_event("exception", exception_attributes(self.raised))
        span.set_attributes(attributes)
