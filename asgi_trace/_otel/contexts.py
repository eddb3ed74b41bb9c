"""
OpenTelemetry's current context while the handler of a call runs.

Version 1 of the SDK of MCP runs the handlers of a session in the context of the session's first
request, where OpenTelemetry's context is stale. This module finds the context of the call's own
request. It never imports the SDK.
"""

from __future__ import annotations

from sys import modules
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from .._core.current import elsewhere
from .._core.request import RequestMetadata

__all__ = ("context_of", "keep_context", "marked")

# The request that a context belongs to: it was made in the request's span, or in a child of it.
_REQUEST = otel_context.create_key("asgi_trace_request")

# The late value of a request: the context in which its span is the current one.
_CONTEXT = "otel_context"


def keep_context(request: RequestMetadata, context: Context) -> Context:
    """
    Return *context*, in which the span of *request* is current, in the form to be attached.

    Where version 1 of the SDK is loaded, it is kept for the handler of the call.
    """
    if elsewhere.module not in modules:
        return context
    request._late_values()[_CONTEXT] = kept = marked(context, request)
    return kept


def marked(context: Context, request: RequestMetadata) -> Context:
    """Return *context* as one that belongs to *request*, where version 1 of the SDK is loaded."""
    if elsewhere.module not in modules:
        return context
    _CallContext.install()
    return otel_context.set_value(_REQUEST, request, context)


def context_of(request: RequestMetadata) -> Context:
    """Return the context of the span of *request*; the current one where none was kept."""
    return request._kept(_CONTEXT) or otel_context.get_current()


class _CallContext:
    """OpenTelemetry's current context; in a handler of the SDK's version 1, that of its call."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.attach = inner.attach
        self.detach = inner.detach

    @classmethod
    def install(cls) -> None:
        """Wrap OpenTelemetry's own context, which has a private name."""
        inner = getattr(otel_context, "_RUNTIME_CONTEXT", None)
        if inner is not None and not isinstance(inner, cls):
            otel_context._RUNTIME_CONTEXT = cls(inner)  # type: ignore[assignment]

    def get_current(self) -> Context:
        """Return the current context, or that of the call's request where it is stale."""
        context: Context = self._inner.get_current()
        began_in: Any = context.get(_REQUEST)
        if began_in is None or elsewhere.module not in modules:
            return context
        request = elsewhere.find(None)
        # A request that began after the call's one is from an app that the handler itself calls.
        if request is None or request is began_in or began_in.start_time > request.start_time:
            return context
        kept: Context | None = request._kept(_CONTEXT)
        return context if kept is None else kept
