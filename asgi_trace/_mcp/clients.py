"""
Calls to MCP servers: the ids of the current request in a call's ``_meta``, and in the headers of
its HTTP request.

Imports no SDK and no HTTP library.
https://modelcontextprotocol.io/seps/414-request-meta
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .._core.current import get_request_metadata
from .._core.faults import report_once
from .._core.ids import parse_id
from .._core.request import RequestMetadata
from .._core.tracecontext import parse_baggage, parse_traceparent, parse_tracestate
from .._outgoing.hooks import OutgoingHooks
from .._outgoing.propagation import TRACEPARENT, inject, replace
from .messages import META, is_handled, meta_text

__all__ = ("outgoing_meta", "request_hook")

# A longer body is not read, and its call's headers have no ids: this one takes about 10 ms.
_MOST_BODY = 1 << 20


def outgoing_meta(
    meta: Mapping[str, Any] | None = None, *, session: bool = False, baggage: bool = False
) -> Any:
    """
    Return the ``_meta`` of a call to an MCP server: ``session.call_tool(name, arguments,
    meta=outgoing_meta())``.

    It holds the current request's ``traceparent`` and ``tracestate``, as in SEP-414, and its
    request id. It is right over any transport, and where many requests share one client
    session. Outside a request it is *meta*.

    The result is a new dict. Its type is ``Any``, since the SDKs name different types for ``meta``:
    a dict in version 1, a ``TypedDict`` in version 2.

    :param meta: other keys of the call's ``_meta``; it is not changed.
    :param session: send the session id too. Do so only to servers that you trust.
    :param baggage: send the caller's baggage too; also only to servers that you trust.

    .. versionadded:: 0.1
    """
    headers: dict[str, str] = inject({}, session=session, baggage=baggage)
    return {**(meta or {}), **{META[header]: value for header, value in headers.items()}}


def request_hook(*, trusted_hosts: Iterable[str] = ()) -> Callable[[Any], Awaitable[None]]:
    """
    Return a hook for an MCP client's HTTP library: ``AsyncClient(event_hooks={"request":
    [request_hook()]})``.

    It supports httpx, which mcp 1 uses, and httpx2, which mcp 2 uses. It copies the ids that
    :func:`outgoing_meta` has put into a call's body into the headers, for servers that read only
    headers. A call without them gets the ids of the current request, until that request ends.

    On mcp 1, where many requests share a session, the headers are right only together with
    :func:`outgoing_meta`: the SDK sends all calls of a session from the context in which the
    session was opened.

    :param trusted_hosts: hosts that get ``X-Session-ID`` and ``baggage``, in the forms of
        :class:`~asgi_trace.OutgoingHooks`. The host of a call with ``outgoing_meta(session=True)``
        gets it too.
    :raises ValueError: for an invalid host.

    .. versionadded:: 0.1
    """
    hooks = OutgoingHooks(trusted_hosts=trusted_hosts)

    async def hook(request: Any) -> None:
        try:
            in_body = _meta_in(request)
            current = get_request_metadata()
            # The current request may be the one that opened the session, rather than the one that
            # makes the call.
            if (
                current
                and _may_call(current)
                and in_body.get(TRACEPARENT, "")[3:35] in ("", current.trace_id)
            ):
                hooks.httpx_request_hook(request)
            replace(request.headers, in_body)
        except Exception:
            report_once("the hook of an MCP client")

    return hook


def _may_call(metadata: RequestMetadata) -> bool:
    return not metadata.ended or is_handled(metadata)


def _meta_in(request: Any) -> dict[str, str]:
    """
    Return the valid headers among the keys of ``params._meta`` in the body of an HTTP *request*.
    """
    try:
        body = request.content
        if b'"_meta"' not in body or len(body) > _MOST_BODY:
            return {}
        meta = json.loads(body)["params"]["_meta"]
        parent, state, baggage, *ids = (meta_text(meta, name) for name in META.values())
    except Exception:  # a streamed body, or not a JSON-RPC message
        return {}
    trace = (parent, parse_tracestate([state])) if parse_traceparent(parent) else ("", "")
    valid = (
        *trace,
        parse_baggage([baggage]),
        *(parse_id(text.encode("latin-1", "replace")) for text in ids),
    )
    return {header: value for header, value in zip(META, valid, strict=True) if value}
