"""
MCP data of one request: the call in its body or in the SDK's own object, the session in a stream's
first event.

Reads objects of the MCP SDK in this process. Imports no SDK, and reads no messages:
:mod:`.observer` does.
"""

from __future__ import annotations

from contextvars import Context
from typing import Any

from .._core.calls import Call, clean
from .._core.protocol import PENDING
from .._core.request import RequestMetadata
from .._core.scope import SCOPE_KEY, ScopeMetadata
from . import sdk

__all__ = (
    "await_endpoint",
    "find_request",
    "learn_call",
    "may_await_endpoint",
    "open_stream",
    "stream_session",
)


def may_await_endpoint(request: ScopeMetadata) -> bool:
    """
    Whether the response to *request*, a GET, has not begun, and may be a stream that names its
    session: the SDKs' servers have such streams at ``/sse``.
    """
    if request._response_headers is not None or not _is_at_sse(request):
        return False
    return request.transport_type == "sse"


def _is_at_sse(request: ScopeMetadata) -> bool:
    """Whether the path of *request* is that of a stream in the SDKs' servers."""
    path = request.path
    return isinstance(path, str) and "/sse" in path and path.rstrip("/").endswith("/sse")


def await_endpoint(request: ScopeMetadata) -> None:
    """
    Note that the first event of the response of *request* may name its session.

    A stream at any other path than ``/sse`` gets its session at once, like other requests.
    """
    if _is_at_sse(request):
        request._late_values()["stream_session"] = PENDING


def open_stream(request: ScopeMetadata, session_id: bytes | None) -> None:
    """
    End the wait for the first event, and use the session that it names, *session_id*, if any.
    """
    opened = None if session_id is None else request._settings.parse(session_id)
    request._late_values()["stream_session"] = opened
    if opened is not None:
        request._search_session_again()


def stream_session(request: ScopeMetadata) -> str | None:
    """
    Return the session named in the first event of the response of *request*; PENDING before that
    event.
    """
    session_id: str | None = request._kept("stream_session")
    return session_id


def learn_call(request: RequestMetadata, method: object, name: object, call_id: object) -> None:
    """
    Use the call in the body of *request*: it outranks the headers, and the SDK's own object
    outranks it.
    """
    if "call_is_from_sdk" not in request._late_values():
        request._call = Call(clean(method), clean(name, blanks=True), clean(call_id))


def find_request(context: Context | None) -> RequestMetadata | None:
    """
    Return the metadata of the HTTP request that carried the call which the MCP SDK handles in
    *context*, or None.

    Version 1 runs the handlers of a session in the context of the session's first request.
    """
    try:
        call = sdk.current_call(context)
        if call is None:
            return None
        request = sdk.scope_of(call).get(SCOPE_KEY)
        if not isinstance(request, RequestMetadata):
            return None
        if "call_is_from_sdk" not in request._late_values():
            _ask_sdk(request, call)
        return request
    except Exception:  # for example, a transport without HTTP
        return None


def _ask_sdk(request: RequestMetadata, call: Any) -> None:
    """
    Use the data of *call*, the SDK's own object: it outranks a client's headers and body.
    """
    try:
        method, name = sdk.call_of(call)
        request._call = Call(clean(method), clean(name, blanks=True), clean(call.request_id))
    except Exception:  # the SDK has no data of a call that it has answered
        request.jsonrpc_id = call.request_id
    request._late_values()["call_is_from_sdk"] = True
