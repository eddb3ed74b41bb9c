"""
The span of a call to an MCP server: a hook for one tracer.

This module uses no tracer. The tracer's package puts its own function into :data:`call_spans`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from sys import modules
from typing import NamedTuple

from .._core.faults import report_once
from .._core.request import RequestMetadata
from .._core.tracecontext import TraceContext

__all__ = ("NO_SPAN", "CallSpan", "CallSpans", "Caller", "begin_span", "call_spans")


class Caller(NamedTuple):
    """The span that made a call, as named in the call's ``_meta``."""

    trace: TraceContext
    tracestate: str
    baggage: str


class CallSpan:
    """A call without a span of a tracer."""

    raised: BaseException | None = None

    def run(self) -> AbstractContextManager[None]:
        """Make the span, unless the SDK has made one, and run the call's handler in it."""
        return nullcontext()

    def end(self) -> None:
        """End the call: its handler has returned, or has *raised*."""


NO_SPAN = CallSpan()


class CallSpans:
    """
    Spans of calls. Unused, the hook costs one dict lookup for each message.

    ``begin`` is given the request of a call and the caller named in its ``_meta``, or None.
    ``module`` is the tracer's name in :data:`sys.modules` once it is loaded; ``load`` then sets
    ``begin``. ``is_used`` is true once a server is traced.
    """

    begin: Callable[[RequestMetadata, Caller | None], CallSpan] | None = None
    module: str = ""
    load: Callable[[], None] | None = None
    is_used: bool = False


call_spans = CallSpans()


def begin_span(request: RequestMetadata, caller: Caller | None) -> CallSpan:
    """Begin the span of the call that *request* carries. If that fails, there is no span."""
    if call_spans.begin is None:
        if call_spans.load is None or call_spans.module not in modules:
            return NO_SPAN
        load, call_spans.load = call_spans.load, None  # one attempt
        try:
            load()
        except Exception:
            report_once("loading the spans of MCP messages")
    if call_spans.begin is None:
        return NO_SPAN
    try:
        return call_spans.begin(request, caller)
    except Exception:
        report_once("starting the span of an MCP message")
        return NO_SPAN
