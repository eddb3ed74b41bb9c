"""
MCP: one trace per JSON-RPC message, from a client through every server that a tool calls in turn.

This is the public module for authors of MCP servers and clients. It imports no SDK.
"""

from ._mcp.clients import outgoing_meta, request_hook
from ._mcp.messages import trace_messages, trace_server
from ._mcp.spans import call_spans as _call_spans

__all__ = ("outgoing_meta", "request_hook", "trace_messages", "trace_server")


def _load_spans() -> None:
    from ._otel.calls import use_call_spans  # only where the program uses OpenTelemetry

    use_call_spans()


_call_spans.module = "opentelemetry.sdk.trace"
_call_spans.load = _load_spans
