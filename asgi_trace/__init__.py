"""
Request tracing for any ASGI app: the request's and the session's id on every log line and every
response.

This module only has the public names.
"""

from ._core.current import (
    bound_request_metadata,
    get_request_id,
    get_request_metadata,
    get_session_id,
    request_id_ctx,
    reset_request_metadata,
    session_id_ctx,
    set_request_metadata,
)
from ._core.ids import generate_request_id
from ._core.middleware import RequestTracingMiddleware
from ._core.request import RequestMetadata
from ._core.threads import ContextThreadPoolExecutor, keep_ids_in_threads, with_context
from ._core.tracecontext import TraceContext
from ._logging.formatters import JSONFormatter, LogfmtFormatter, TextFormatter
from ._logging.records import RequestTracingFilter, stamp_records
from ._logging.setup import configure_logging
from ._mcp.protocol import install
from ._outgoing.hooks import OutgoingHooks, httpx_async_request_hook, httpx_request_hook
from ._outgoing.propagation import bound_carrier, carrier, extract, get_trace_context, inject

__all__ = (
    "ContextThreadPoolExecutor",
    "JSONFormatter",
    "LogfmtFormatter",
    "OutgoingHooks",
    "RequestMetadata",
    "RequestTracingFilter",
    "RequestTracingMiddleware",
    "TextFormatter",
    "TraceContext",
    "bound_carrier",
    "bound_request_metadata",
    "carrier",
    "configure_logging",
    "extract",
    "generate_request_id",
    "get_request_id",
    "get_request_metadata",
    "get_session_id",
    "get_trace_context",
    "httpx_async_request_hook",
    "httpx_request_hook",
    "inject",
    "keep_ids_in_threads",
    "request_id_ctx",
    "reset_request_metadata",
    "session_id_ctx",
    "set_request_metadata",
    "stamp_records",
    "with_context",
)

__version__ = "0.2.0"

install()
del install
