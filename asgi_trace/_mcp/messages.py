"""
Messages that an MCP server handles, over any transport: one request with a trace for each JSON-RPC
message.

Supports the low-level servers of mcp 1 and 2 and of fastmcp 2 to 4, and imports none of them.
https://modelcontextprotocol.io/seps/414-request-meta
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache, partial
from sys import modules
from typing import Any, TypeVar

from .._core.current import get_request_metadata, reset_request_metadata, set_request_metadata
from .._core.exceptions import stamp_exception
from .._core.faults import report_once
from .._core.headers import group_values
from .._core.ids import generate_request_id, parse_id
from .._core.request import RequestMetadata
from .._core.scope import SCOPE_KEY, ScopeMetadata
from .._core.sessions import SessionResolver
from .._core.tracecontext import parse_baggage, parse_traceparent, parse_tracestate
from .._outgoing.propagation import (
    BAGGAGE,
    REQUEST_ID,
    SESSION_ID,
    TRACEPARENT,
    TRACESTATE,
    extract,
)
from .names import name_in
from .spans import NO_SPAN, Caller, CallSpan, begin_span, call_spans
from .stdout import begin_output, end_output, keep_stdout
from .tasks import keep_ids_in_tasks

__all__ = ("META", "is_handled", "meta_text", "trace_messages", "trace_server")

_Server = TypeVar("_Server")

META = {
    TRACEPARENT: TRACEPARENT,
    TRACESTATE: TRACESTATE,
    BAGGAGE: BAGGAGE,
    REQUEST_ID: "asgi-trace/request-id",
    SESSION_ID: "asgi-trace/session-id",
}
"""
The key of ``params._meta`` for each header.

W3C's names are kept (SEP-414). Every other key needs a prefix, by the rules of the protocol.
"""

# Marks a handler that traces already.
_TRACED = "__asgi_trace__"

_SESSIONS = SessionResolver()

# The requests whose messages are being handled. With the older SSE transport, the HTTP request ends
# before its message.
_handled: set[RequestMetadata] = set()


def is_handled(metadata: RequestMetadata) -> bool:
    """Whether a handler is running for a message of the request *metadata*."""
    return metadata in _handled


def trace_server(server: _Server) -> _Server:
    """
    Trace each JSON-RPC message that *server* handles, over any transport, and return *server*.

    Over stdio, a message has a request id and a span of its own, and all messages of a process are
    one session. Over HTTP, under :class:`~asgi_trace.RequestTracingMiddleware`, the ids are those
    of the HTTP request, whose lines then show the call. Over both, ``traceparent``, ``tracestate``
    and ``baggage`` in ``params._meta`` name the parent, and outrank the HTTP headers; so do the ids
    that :func:`outgoing_meta` wrote.

    Nothing is ever written to standard output. While the server runs over stdio, a handler's output
    by ``print`` is logged at INFO by ``asgi_trace.stdout``, as lines of its call.

    Call it before the server runs; tools may be added later. A second call has no effect.

    :param server: ``MCPServer``, ``FastMCP`` (of mcp 1, or fastmcp 2 to 4), or a low-level
        ``Server``.
    :raises TypeError: for any other object.

    .. versionadded:: 0.1
    """
    # Each kind of server has the SDK's low-level server inside, which every message passes once.
    inner: Any = getattr(server, "_mcp_server", server)
    middleware = getattr(inner, "middleware", None)
    if isinstance(middleware, list):
        if _around_all not in middleware:
            middleware.insert(0, _around_all)
            middleware.append(_inside_all)
    elif callable(getattr(inner, "_handle_message", None)) and hasattr(inner, "request_handlers"):
        if not hasattr(inner._handle_message, _TRACED):
            is_fastmcp = type(inner).__module__.partition(".")[0] == "fastmcp"
            inner._handle_message = _handler(inner._handle_message, is_fastmcp=is_fastmcp)
    else:
        raise TypeError(
            f"trace_server() was given {server!r}; expected an MCP server: MCPServer, FastMCP or a low-level Server, "
            "of mcp 1.12 or newer; an ASGI app goes into RequestTracingMiddleware"
        )
    call_spans.is_used = True
    keep_ids_in_tasks()
    keep_stdout()
    return server


async def trace_messages(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """
    Trace a message: a middleware for mcp 2, ``MCPServer(middleware=[trace_messages])``.

    :func:`trace_server` does the same around all other middleware.

    :param ctx: the SDK's context of the message.
    :param call_next: handles the message: the inner middleware, then the server.

    .. versionadded:: 0.1
    """
    with _traced(*_parts(ctx)) as span, span.run():
        return await call_next(ctx)


# The span of the message that is being handled, between the outermost middleware and the innermost.
_begun: ContextVar[CallSpan] = ContextVar("asgi_trace_call_span", default=NO_SPAN)


async def _around_all(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """Trace a message: the outermost middleware, around the SDK's own."""
    with _traced(*_parts(ctx)) as span:
        token = _begun.set(span)
        try:
            return await call_next(ctx)
        finally:
            _begun.reset(token)


async def _inside_all(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """Make the span of a message for which no middleware of the SDK has made one."""
    with _begun.get().run():
        return await call_next(ctx)


def _parts(ctx: Any) -> Iterator[Any]:
    # The SDK calls these names provisional. Where a later version lacks one, its part of the trace
    # is missing.
    return (
        getattr(ctx, name, None) for name in ("method", "params", "request_id", "meta", "request")
    )


# The methods of calls for which fastmcp makes a span of its own.
_FASTMCP_SPANS = frozenset({"tools/call", "resources/read", "prompts/get"})
_FASTMCP_TELEMETRY = "fastmcp.server.telemetry"


def _handler(
    handle: Callable[..., Awaitable[None]], *, is_fastmcp: bool
) -> Callable[..., Awaitable[None]]:
    """
    Return *handle* with tracing: a method of mcp 1's server, which gets a message before the SDK
    logs it.
    """

    async def traced(message: Any, *args: Any, **kwargs: Any) -> None:
        # A request has an id and the HTTP request that brought it. A notification, or an exception,
        # has neither.
        request = getattr(getattr(message, "request", message), "root", None)
        method = getattr(request, "method", None)
        carrier = getattr(getattr(message, "message_metadata", None), "request_context", None)
        has_own_span = is_fastmcp and method in _FASTMCP_SPANS and _FASTMCP_TELEMETRY in modules
        parts = (
            method,
            getattr(request, "params", None),
            getattr(message, "request_id", None),
            getattr(message, "request_meta", None),
            carrier,
        )
        with _traced(*parts) as span, nullcontext() if has_own_span else span.run():
            await handle(message, *args, **kwargs)

    setattr(traced, _TRACED, True)
    return traced


@contextmanager
def _traced(
    method: Any, params: Any, request_id: Any, meta: Any, carrier: Any
) -> Iterator[CallSpan]:
    """
    Make the message with these parts the current request; *carrier* is the HTTP request that
    brought it, or None.
    """
    metadata = None
    is_named = False
    try:
        metadata, caller, is_own = _metadata(meta, getattr(carrier, "scope", None) or {})
        is_named = not _is_further(method, metadata.mcp_method)
        if is_named:
            metadata.mcp_method, metadata.mcp_name, metadata.jsonrpc_id = (
                method,
                name_in(method, params),
                _cancelled_in(params) if request_id is None else request_id,
            )
    except Exception:
        report_once("tracing an MCP message")
    if metadata is None:
        yield NO_SPAN
        return
    token = set_request_metadata(metadata)
    _handled.add(metadata)
    begin_output(metadata)
    # A notification has no reply, and so no span.
    has_span = is_named and request_id is not None
    span = begin_span(metadata, caller) if has_span else NO_SPAN
    try:
        yield span
    except BaseException as exc:
        stamp_exception(exc, metadata)
        if span is not NO_SPAN:
            span.raised = exc
        raise
    finally:
        end_output(metadata)
        span.end()
        _handled.discard(metadata)
        if is_own:
            metadata.ended = True
        reset_request_metadata(token)


def _is_further(method: Any, known: str | None) -> bool:
    """
    Whether a message is not the call that its HTTP request carries, whose method is *known*: before
    a call of a tool, fastmcp 4 asks its own server for the list of tools.
    """
    return known not in (None, method) and str(method).endswith("/list")


def _metadata(meta: Any, scope: Mapping[str, Any]) -> tuple[RequestMetadata, Caller | None, bool]:
    """
    Return the metadata of a message, the caller named in its *meta*, and whether the metadata is
    new rather than that of an HTTP request.
    """
    meta = meta if isinstance(meta, Mapping) else getattr(meta, "model_extra", None) or {}
    carried = scope.get(SCOPE_KEY)
    if not isinstance(carried, RequestMetadata):
        return _own_metadata(scope, meta), None, True
    if not meta or not carried._is_trusted:
        return carried, None, False
    baggage = parse_baggage([meta_text(meta, BAGGAGE)])
    parent = parse_traceparent(meta_text(meta, TRACEPARENT))
    caller = None
    if parent is not None:
        caller = Caller(parent, parse_tracestate([meta_text(meta, TRACESTATE)]), baggage)
        carried._continue_trace(*caller)
    _take_ids(carried, meta, baggage)
    return carried, caller, False


def _take_ids(carried: RequestMetadata, meta: Mapping[str, Any], baggage: str) -> None:
    """Give the HTTP request *carried* the ids in the *meta* of its call."""
    request_id, session_id = (_id_in(meta, META[name]) for name in (REQUEST_ID, SESSION_ID))
    if request_id is not None:
        carried.trace  # noqa: B018 - read before the new request id could change it
        carried.request_id = request_id
    if session_id is not None:
        carried.session_id = session_id
    elif baggage and isinstance(carried, ScopeMetadata):
        carried._use_baggage(baggage)


def _id_in(meta: Mapping[str, Any], name: str) -> str | None:
    return parse_id(meta_text(meta, name).encode("latin-1", "replace"))


def _own_metadata(scope: Mapping[str, Any], meta: Mapping[str, Any]) -> RequestMetadata:
    """Return new metadata, for a message that was not brought by a traced HTTP request."""
    metadata = (
        extract({header: meta_text(meta, name) for header, name in META.items()})
        or RequestMetadata()
    )
    metadata.request_id = metadata.request_id or generate_request_id()
    if metadata.session_id is not None:
        return metadata
    headers: dict[bytes, list[bytes]] = {}
    if scope:
        group_values(scope["headers"], _SESSIONS.header_names, headers)
    baggage = meta_text(meta, BAGGAGE)
    if baggage:
        headers[b"baggage"] = [baggage.encode()]
    metadata.session_id, _ = _SESSIONS.resolve(headers, scope.get("query_string", b""))
    # Over stdio; or a server in the process of its client.
    if metadata.session_id is None and not scope:
        outer = get_request_metadata()
        metadata.session_id = (outer and outer.session_id) or _process_session(os.getpid())
    return metadata


@cache
def _process_session(pid: int) -> str:
    return generate_request_id()


def _cancelled_in(params: Any) -> Any:
    """Return the id of the call that a notification with these *params* cancels, or None."""
    get = params.get if isinstance(params, Mapping) else partial(getattr, params)
    return get("requestId", None)


def meta_text(meta: Mapping[str, Any], name: str) -> str:
    """Return the text under *name* in *meta*; empty where there is none."""
    value = meta.get(name)
    return value if isinstance(value, str) else ""
