"""
The same ids for a request and its span, whichever of the two is created first.

A span that is created for a request gets the request's ids from the id generator of the SDK's
provider. If a span has other ids, the request and its log lines take them over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from enum import Enum
from typing import Any
from weakref import WeakValueDictionary

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
)

from .._core.faults import report_once
from .._core.request import RequestMetadata
from .._core.tracecontext import RANDOM, SAMPLED, TraceContext, new_trace
from .._outgoing.propagation import formats
from .attributes import id_attributes
from .contexts import keep_context

__all__ = (
    "TRACER",
    "NextSpan",
    "SpanState",
    "adapt",
    "call_joins",
    "context_in",
    "has_span",
    "incoming_context",
    "next_span",
    "remote_span",
    "runs_in_its_span",
    "take",
    "trace_of",
    "use_propagators",
)

TRACER = "asgi_trace"
"""The instrumentation scope of our spans."""

# The names of the formats that the shim reads and writes itself.
_W3C = frozenset({"traceparent", "tracestate", "baggage"})

# OpenTelemetry accepts only keys of level 1. For any other key it would warn, and drop the whole
# state.
_STATE_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})="
)


class SpanState(Enum):
    """The progress of a request's span: the value is what exists of it."""

    AWAITED = "nothing"
    NAMED = "its ids, which a generator has given"
    MADE = "the span, whose ids are the request's"


class NextSpan:
    """
    The span that will be made for *request*: by an instrumentation inside the app, unless it
    *is_ours*.
    """

    def __init__(self, request: RequestMetadata, *, is_ours: bool = False) -> None:
        self.request = request
        self.is_ours = is_ours
        self.state = SpanState.AWAITED


class CallJoins:
    """
    A hook for calls: it joins a request to a SERVER span that is not the request's own.

    ``join`` is given the span and the context of its parent (None: the current one), and returns
    whether the span is one of a call.
    """

    join: Callable[[Any, Context | None], bool] | None = None


call_joins = CallJoins()

# The next span to be made in the current context; None outside a request.
next_span: ContextVar[NextSpan | None] = ContextVar("asgi_trace_next_span", default=None)

# By id(): a provider may be of a class that cannot be hashed.
_adapted: WeakValueDictionary[int, Any] = WeakValueDictionary()

# The most providers that are searched: one that wraps another, such as logfire's, is followed.
_MOST_PROVIDERS = 8


def adapt(provider: trace.TracerProvider) -> None:
    """
    Change *provider*, if it is the SDK's, so that the span of a request gets the ids of that
    request.

    Other providers have no id generator: with them, the request takes the ids of its span.
    """
    sdk = _sdk_provider(provider)
    if sdk is None or _adapted.get(id(sdk)) is sdk:
        return

    from opentelemetry.sdk.trace import Span as SDKSpan
    from opentelemetry.sdk.trace import SpanProcessor

    class Joiner(SpanProcessor):
        def on_start(self, span: SDKSpan, parent_context: Context | None = None) -> None:
            if span.kind is not SpanKind.SERVER:
                return
            awaited = next_span.get()
            is_awaited = awaited is not None and awaited.state is not SpanState.MADE
            if awaited is not None and is_awaited:
                awaited.state = SpanState.MADE
                if awaited.is_ours:
                    return  # our middleware sets the attributes of its own spans
            try:
                if call_joins.join is not None and call_joins.join(span, parent_context):
                    return
                if awaited is not None and is_awaited:
                    join(awaited.request, span, parent_context)
            except Exception:
                report_once("taking the ids of a span")

    _adapted[id(sdk)] = sdk
    _change_generator(sdk)
    sdk.add_span_processor(Joiner())


def _sdk_provider(provider: Any) -> Any:
    """Return *provider*, or the one that it wraps, if that is the SDK's; else None."""
    for _ in range(_MOST_PROVIDERS):
        if hasattr(provider, "id_generator") and hasattr(provider, "add_span_processor"):
            return provider
        provider = getattr(provider, "provider", None)
    return None


def _change_generator(provider: Any) -> None:
    """Change the id generator of *provider*: each request's span gets the ids of the request."""
    generator = provider.id_generator
    ids = _RequestIds(generator)
    try:
        # Existing tracers keep the generator: so it gets new methods.
        for name in ("generate_trace_id", "generate_span_id", "is_trace_id_random"):
            setattr(generator, name, getattr(ids, name))
    except AttributeError:  # its class has slots: only tracers that are created later use ours
        provider.id_generator = ids


class _RequestIds:
    """
    The methods of an id *generator*; the next span of a request gets the ids of that request.
    """

    def __init__(self, generator: Any) -> None:
        self._trace_id = generator.generate_trace_id
        self._span_id = generator.generate_span_id
        self._is_random = generator.is_trace_id_random

    def generate_trace_id(self) -> int:
        awaited = next_span.get()
        if awaited is None or awaited.state is not SpanState.AWAITED:
            return int(self._trace_id())
        return int(awaited.request.trace_id, 16)

    def generate_span_id(self) -> int:
        awaited = next_span.get()
        if awaited is None or awaited.state is not SpanState.AWAITED:
            return int(self._span_id())
        awaited.state = SpanState.NAMED
        return int(awaited.request.span_id, 16)

    def is_trace_id_random(self) -> bool:
        """Whether samplers may rely on the trace id: a client's request id may not be random."""
        awaited = next_span.get()
        if awaited is None or awaited.state is not SpanState.AWAITED:
            return bool(self._is_random())
        return bool(awaited.request.trace.flags & RANDOM)


def has_span(request: RequestMetadata) -> bool:
    """Whether the span of *request* exists: the request then has its ids."""
    return request._calling_span is not None


def runs_in_its_span(request: RequestMetadata) -> bool:
    """
    Whether the span of *request* exists already, also where another library has made it around the
    shim; the request then has the ids of that span.
    """
    if has_span(request):
        return True
    current = trace.get_current_span()
    around = current.get_span_context()
    if not around.is_valid or around.is_remote:
        return False
    # A span of another kind, or our span of another request, belongs to a caller in this process:
    # it is the parent. A span that is not sampled has no kind.
    scope = getattr(current, "instrumentation_scope", None)
    if (
        getattr(current, "kind", SpanKind.SERVER) is not SpanKind.SERVER
        or getattr(scope, "name", "") == TRACER
    ):
        return False
    join(request, current)
    return True


def join(request: RequestMetadata, span: Span, parent_context: Context | None = None) -> None:
    """
    Give *request* the trace of *span*, which another library made for it, and give the span the
    attributes of the request.

    :param parent_context: that of the span's parent; the current one when left out.
    """
    parent = getattr(span, "parent", None)
    take(
        request, trace_of(span.get_span_context(), parent and trace.format_span_id(parent.span_id))
    )
    span.set_attributes(id_attributes(request))
    keep_context(request, trace.set_span_in_context(span, parent_context))


def take(request: RequestMetadata, made: TraceContext) -> None:
    """Make *made*, the trace context of a span, that of *request*."""
    known = request.trace
    # Older SDKs have no flag for a random trace id.
    trace_id, span_id, flags, parent_span_id = made
    random = known.flags & RANDOM if trace_id == known.trace_id else 0
    request.trace = new_trace((trace_id, span_id, flags | random, parent_span_id))
    request._calling_span = _calling_span


def trace_of(context: SpanContext, parent_span_id: str | None) -> TraceContext:
    """Return OpenTelemetry's *context* of a span in our form."""
    trace_id, span_id = (
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    )
    return new_trace((trace_id, span_id, int(context.trace_flags), parent_span_id))


def _calling_span(request: RequestMetadata) -> TraceContext:
    """
    Return the current span of *request*; its outermost one in a thread that has no current span.
    """
    current = trace.get_current_span().get_span_context()
    if trace.format_trace_id(current.trace_id) != request.trace_id:
        return request.trace
    return request.trace._replace(span_id=trace.format_span_id(current.span_id))


def incoming_context(request: RequestMetadata) -> Context:
    """
    Return the current context with the span and the baggage from the caller of *request*.
    """
    context, incoming = otel_context.get_current(), request.trace
    if incoming.parent_span_id is not None:
        caller = incoming._replace(span_id=incoming.parent_span_id)
        parent = remote_span(caller, request.tracestate)
        context = trace.set_span_in_context(NonRecordingSpan(parent), context)
    return (
        W3CBaggagePropagator().extract({"baggage": request.baggage}, context)
        if request.baggage
        else context
    )


def use_propagators() -> None:
    """
    Write the formats of ``OTEL_PROPAGATORS`` (B3, Jaeger) on outgoing calls too, beside W3C's.
    """
    if _further_fields():
        formats.write = _write_formats


# The last propagator and its further fields: a composite one makes its fields anew each time.
_known_fields: tuple[object, set[str]] = (None, set())


def _further_fields() -> set[str]:
    global _known_fields
    propagator = propagate.get_global_textmap()
    known_propagator, fields = _known_fields
    if propagator is not known_propagator:
        fields = {name.lower() for name in propagator.fields} - _W3C
        _known_fields = propagator, fields
    return fields


def _write_formats(span: TraceContext) -> dict[str, str]:
    carrier: dict[str, str] = {}
    # In Jaeger's format the bit of W3C's random flag asks for a debug trace.
    sampled = remote_span(span._replace(flags=span.flags & SAMPLED))
    context = trace.set_span_in_context(NonRecordingSpan(sampled), Context())
    propagate.inject(carrier, context)
    return {name.lower(): value for name, value in carrier.items() if name.lower() not in _W3C}


def context_in(headers: Iterable[tuple[bytes, bytes]], context: Context) -> Context:
    """Return *context* with the values that ``OTEL_PROPAGATORS`` other than W3C's read."""
    fields = _further_fields()
    if not fields:
        return context
    carrier: dict[str, str] = {}
    for name, value in headers:
        text = name.decode("latin-1").lower()
        # The names of Jaeger's baggage are not among its fields.
        if text not in _W3C:
            carrier.setdefault(text, value.decode("latin-1"))
    return propagate.extract(carrier, context)


def remote_span(context: TraceContext, tracestate: str = "") -> SpanContext:
    """Return *context*, of a span in another service, as OpenTelemetry's ``SpanContext``."""
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(context.flags),
        trace_state=TraceState.from_header(
            [",".join(filter(_STATE_MEMBER.match, tracestate.split(",")))]
        ),
    )
