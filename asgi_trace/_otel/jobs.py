"""
Spans of jobs: a job has the span that an instrumentation of its queue has made, else one of ours.

What the job starts is under that span, and its lines have the ids of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from .._core.current import get_request_metadata
from .._core.exceptions import is_failure
from .._core.faults import report_once
from .._core.request import RequestMetadata
from .._core.tracecontext import SAMPLED
from .._outgoing.propagation import job_spans
from .attributes import exception_attributes, field_attributes, id_attributes, type_name
from .client_spans import span_provider, tracer_of
from .ids import incoming_context, next_span, take, trace_of

__all__ = ("use_job_spans",)

# The carrier names no queue and no task.
_NAME = "job"
# The kinds of the spans of messages and of calls, such as those of gRPC.
_RECEIVING = (SpanKind.CONSUMER, SpanKind.SERVER)


def use_job_spans() -> None:
    """Make a span for each job that :func:`~asgi_trace.bound_carrier` binds."""
    job_spans.run = _run


@contextmanager
def _run(request: RequestMetadata) -> Iterator[None]:
    """Run the job of *request* in its span. If that fails, there is no span."""
    try:
        span = _begin(request)
    except Exception:
        report_once("starting the span of a job")
        span = None
    if span is None:
        yield
        return
    awaited = next_span.set(None)  # that one is for the request around the job
    attached = otel_context.attach(trace.set_span_in_context(span))
    raised: BaseException | None = None
    try:
        yield
    except BaseException as exc:
        raised = exc
        raise
    finally:
        with suppress(ValueError):  # closed from another context
            next_span.reset(awaited)
            otel_context.detach(attached)
        try:
            _end(span, request, raised)
        except Exception:
            report_once("ending the span of a job")


def _begin(request: RequestMetadata) -> Any:
    """
    Return the span that was made for the job of *request*; None without a tracer, and where an
    instrumentation has made the span.
    """
    current = trace.get_current_span()
    around = current.get_span_context()
    is_in_trace = trace.format_trace_id(around.trace_id) == request.trace_id
    if getattr(current, "kind", None) in _RECEIVING and is_in_trace and not _is_ours(around):
        take(request, trace_of(around, request.trace.parent_span_id))
        return None
    if request.trace.parent_span_id is None:  # the carrier had no trace
        return None
    # The trace of a sender without a tracer is not sampled. Under it, the sampler would drop all spans
    # of a worker that has a tracer; so these stay traces of their own.
    if not request.trace.flags & SAMPLED:
        return None
    token = next_span.set(None)
    try:
        span = tracer_of(span_provider.get() or trace.get_tracer_provider()).start_span(
            _NAME,
            context=incoming_context(request),
            kind=SpanKind.CONSUMER,
            attributes=id_attributes(request),
        )
    finally:
        next_span.reset(token)
    made = span.get_span_context()
    # Without an SDK the span's context is that of the parent.
    if not made.is_valid or made.is_remote:
        return None
    take(request, trace_of(made, request.trace.parent_span_id))
    return span


def _is_ours(span: trace.SpanContext) -> bool:
    """Whether *span* is that of the current request or job, which runs another job within itself."""
    around = get_request_metadata()
    return around is not None and around.span_id == trace.format_span_id(span.span_id)


def _end(span: Any, request: RequestMetadata, raised: BaseException | None) -> None:
    if span.is_recording():
        if request._fields:
            span.set_attributes(field_attributes(request, {}))
        if raised is not None and is_failure(raised):
            span.set_attribute("error.type", type_name(raised))
            span.set_status(Status(StatusCode.ERROR))
            span.add_event("exception", exception_attributes(raised))
    span.end()
