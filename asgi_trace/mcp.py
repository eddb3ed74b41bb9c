"""
MCP: one trace per JSON-RPC message, from a client through every server that a tool calls in turn.

Knows the shapes of mcp 1 and 2 and of fastmcp 2 to 4 (their low-level server, its messages and contexts) and imports
none of them. Does not know logging, ASGI messages or HTTP libraries.
https://modelcontextprotocol.io/seps/414-request-meta
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

from .current import get_request_metadata, reset_request_metadata, set_request_metadata
from .exceptions import stamp_exception
from .faults import report_once
from .ids import generate_request_id, parse_id
from .outgoing import OutgoingHooks
from .propagation import BAGGAGE, REQUEST_ID, SESSION_ID, TRACEPARENT, TRACESTATE, extract, inject, replace
from .request import RequestMetadata
from .scopes import SCOPE_KEY
from .sessions import SessionResolver
from .tracecontext import parse_baggage, parse_traceparent, parse_tracestate

__all__ = ("outgoing_meta", "request_hook", "trace_messages", "trace_server")

_Server = TypeVar("_Server")

# Which key of ``params._meta`` stands for which header. Those of the W3C keep their names (SEP-414); the protocol asks
# for a prefix before others.
_META = {
    TRACEPARENT: TRACEPARENT,
    TRACESTATE: TRACESTATE,
    BAGGAGE: BAGGAGE,
    REQUEST_ID: "asgi-trace/request-id",
    SESSION_ID: "asgi-trace/session-id",
}

# A body this long takes some 10 ms to read; of a longer one the headers are not told.
_MOST_BODY = 1 << 20

# Marks a handler that is ours.
_TRACED = "__asgi_trace__"

_SESSIONS = SessionResolver()

# Whose message a handler has in hand: legacy SSE ends the HTTP request before that.
_handled: set[RequestMetadata] = set()


# -- servers -----------------------------------------------------------------------------------------------------


def trace_server(server: _Server) -> _Server:
    """
    Trace each JSON-RPC message that *server* handles, over any transport, and return *server*.

    Over stdio a message has a request id and a span of its own, and all messages of a process are one session. Over
    HTTP, under :class:`~asgi_trace.RequestTracingMiddleware`, the ids are those of the HTTP request, which learns its
    call. In both, ``traceparent``, ``tracestate`` and ``baggage`` in ``params._meta`` are the parent, whatever the
    HTTP headers say. Nothing is ever written to standard output.

    Call it before the server runs; tools may be added later. Twice is as good as once.

    :param server: ``MCPServer``, ``FastMCP`` (of mcp 1, or fastmcp 2 to 4), or a low-level ``Server``.
    :raises TypeError: for anything else.

    .. versionadded:: 0.1
    """
    # All of them have the SDK's own low-level server inside, where each message passes once.
    inner: Any = getattr(server, "_mcp_server", server)
    middleware = getattr(inner, "middleware", None)
    if isinstance(middleware, list):
        if trace_messages not in middleware:
            middleware.insert(0, trace_messages)  # outermost, around the SDK's own
    elif callable(getattr(inner, "_handle_message", None)) and hasattr(inner, "request_handlers"):
        if not hasattr(inner._handle_message, _TRACED):
            inner._handle_message = _handler(inner._handle_message)
    else:
        raise TypeError(
            f"trace_server() was given {server!r}; expected an MCP server: MCPServer, FastMCP or a low-level Server, "
            "of mcp 1.12 or newer; an ASGI app goes into RequestTracingMiddleware"
        )
    return server


async def trace_messages(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """
    Trace a message: a middleware for mcp 2, ``MCPServer(middleware=[trace_messages])``.

    :func:`trace_server` puts it there, outermost.

    :param context: the SDK's context of the message.
    :param call_next: the rest of the chain.

    .. versionadded:: 0.1
    """
    # Provisional, says the SDK: one that is missing some day costs its part of the trace.
    parts = (getattr(context, name, None) for name in ("method", "params", "request_id", "meta", "request"))
    with _traced(*parts):
        return await call_next(context)


def _handler(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return *handle*, the one method of mcp 1's server that sees each message before the SDK's first line on it."""

    async def traced(message: Any, *args: Any, **kwargs: Any) -> None:
        # A request comes with its id and what carried it; a notification, or the transport's exception, by itself.
        request = getattr(getattr(message, "request", message), "root", None)
        request_id, meta = getattr(message, "request_id", None), getattr(message, "request_meta", None)
        carrier = getattr(getattr(message, "message_metadata", None), "request_context", None)
        with _traced(getattr(request, "method", None), getattr(request, "params", None), request_id, meta, carrier):
            await handle(message, *args, **kwargs)

    setattr(traced, _TRACED, True)
    return traced


@contextmanager
def _traced(method: Any, params: Any, request_id: Any, meta: Any, carrier: Any) -> Iterator[None]:
    """Make the message with these parts the current request; *carrier* is the HTTP request that brought it, or None."""
    metadata = None
    try:
        metadata, is_own = _metadata(meta, getattr(carrier, "scope", None) or {})
        metadata.mcp_method, metadata.mcp_name, metadata.jsonrpc_id = method, _name_in(params), request_id
    except Exception:
        report_once("tracing an MCP message")
    if metadata is None:
        yield
        return
    token = set_request_metadata(metadata)
    _handled.add(metadata)
    try:
        yield
    except BaseException as exc:
        stamp_exception(exc, metadata)
        raise
    finally:
        _handled.discard(metadata)
        if is_own:
            metadata.ended = True
        reset_request_metadata(token)


def _metadata(meta: Any, scope: Mapping[str, Any]) -> tuple[RequestMetadata, bool]:
    """Return the metadata of a message, and whether it is its own: that of no HTTP request."""
    meta = meta if isinstance(meta, Mapping) else getattr(meta, "model_extra", None) or {}
    carried = scope.get(SCOPE_KEY)
    if not isinstance(carried, RequestMetadata):
        return _own_metadata(scope, meta), True
    parent = parse_traceparent(_text(meta, TRACEPARENT))
    if parent is not None:
        tracestate, baggage = parse_tracestate([_text(meta, TRACESTATE)]), parse_baggage([_text(meta, BAGGAGE)])
        carried._continue_trace(parent, tracestate, baggage)
    return carried, False


def _own_metadata(scope: Mapping[str, Any], meta: Mapping[str, Any]) -> RequestMetadata:
    """Return the metadata of a message that no traced HTTP request has brought."""
    metadata = extract({header: _text(meta, name) for header, name in _META.items()}) or RequestMetadata()
    metadata.request_id = metadata.request_id or generate_request_id()
    if metadata.session_id is None and scope:
        metadata.session_id, _ = _SESSIONS.resolve(scope["headers"], scope["query_string"])
    elif metadata.session_id is None:  # stdio; or a server that is called in its client's own process
        outer = get_request_metadata()
        metadata.session_id = (outer and outer.session_id) or _process_session(os.getpid())
    return metadata


@cache
def _process_session(pid: int) -> str:
    return generate_request_id()


def _name_in(params: Any) -> Any:
    """Return the name of the tool or prompt, or the resource's URI, that a message asks for."""
    get = params.get if isinstance(params, Mapping) else partial(getattr, params)
    name = get("name", None)
    return get("uri", None) if name is None else name


def _text(meta: Mapping[str, Any], name: str) -> str:
    value = meta.get(name)
    return value if isinstance(value, str) else ""


# -- clients -----------------------------------------------------------------------------------------------------


def outgoing_meta(meta: Mapping[str, Any] | None = None, *, session: bool = False) -> dict[str, Any]:
    """
    Return what tells an MCP server whose call it gets: ``session.call_tool(name, arguments, meta=outgoing_meta())``.

    The current request's ``traceparent``, ``tracestate`` and ``baggage``, as SEP-414 has them, and its id. It holds
    over any transport, and where many requests share one client session. Outside a request there is nothing to tell.

    :param meta: what else the call's ``_meta`` shall hold; it is not changed.
    :param session: tell the session id, too. A stranger's server need not know it.

    .. versionadded:: 0.1
    """
    headers: dict[str, str] = inject({}, session=session)
    return {**(meta or {}), **{_META[header]: value for header, value in headers.items()}}


def request_hook(*, session_hosts: Iterable[str] = ()) -> Callable[[Any], Awaitable[None]]:
    """
    Return a hook for an MCP client's HTTP library: ``AsyncClient(event_hooks={"request": [request_hook()]})``.

    For httpx, which mcp 1 uses, and httpx2, which mcp 2 does. What :func:`outgoing_meta` has put into a call's body
    goes into its headers too, where any HTTP server finds it; only with it are they right on mcp 1 where many requests
    share a session, since all calls are sent from the context in which the session was opened. A call without it has
    the current request's, until that has ended.

    :param session_hosts: hosts that get ``X-Session-ID``, as :class:`~asgi_trace.OutgoingHooks` has them. The host of a
        call with ``outgoing_meta(session=True)`` gets it anyway.
    :raises ValueError: for a host that is none.

    .. versionadded:: 0.1
    """
    hooks = OutgoingHooks(session_hosts=session_hosts)

    async def hook(request: Any) -> None:
        try:
            told = _meta_in(request)
            current = get_request_metadata()
            # Not where the current request is but the one that had opened the session.
            if current and _is_at_work(current) and told.get(TRACEPARENT, "")[3:35] in ("", current.trace_id):
                hooks.httpx_request_hook(request)
            replace(request.headers, told)
        except Exception:
            report_once("the hook of an MCP client")

    return hook


def _is_at_work(metadata: RequestMetadata) -> bool:
    return not metadata.ended or metadata in _handled


def _meta_in(request: Any) -> dict[str, str]:
    """Return the headers that the body of an HTTP *request* tells in ``params._meta``: those that are valid."""
    try:
        body = request.content
        if b'"_meta"' not in body or len(body) > _MOST_BODY:
            return {}
        meta = json.loads(body)["params"]["_meta"]
        parent, state, baggage, *ids = (_text(meta, name) for name in _META.values())
    except Exception:  # streamed, or no message
        return {}
    trace = (parent, parse_tracestate([state])) if parse_traceparent(parent) else ("", "")
    valid = (*trace, parse_baggage([baggage]), *(parse_id(each.encode("latin-1", "replace")) for each in ids))
    return {header: value for header, value in zip(_META, valid, strict=True) if value}
