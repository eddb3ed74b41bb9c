"""
Attributes and names for the spans and exported log records of a request.

This module does not use OpenTelemetry's API. It reads scopes, messages and the metadata of
requests.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from typing import Any

from .._core.calls import Call
from .._core.headers import group_values
from .._core.request import RequestMetadata
from .._core.scope import SCOPE_KEY, Message, Scope, masks_of
from .._core.trust import client_host

__all__ = (
    "OUTCOME",
    "REQUEST",
    "SESSION",
    "Attributes",
    "as_text",
    "call_attributes",
    "exception_attributes",
    "id_attributes",
    "method_attributes",
    "request_attributes",
    "span_name",
    "status_after",
    "type_name",
)

Attributes = dict[str, str | int]

SESSION = "session.id"
"""The attribute that holds a request's session id: a name of OpenTelemetry's conventions."""

REQUEST = "asgi_trace.request_id"
"""The attribute that holds a request's id: the conventions have no name for it."""

OUTCOME = "asgi_trace.outcome"
"""The attribute for the outcome of a request that did not end normally."""

_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)

# An attribute is a signed integer of 64 bits at most.
_INT64 = 1 << 63

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

# A host, in brackets where it is of IPv6, and a port (RFC 3986, § 3.2).
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%-]+)(?::([0-9]{1,5}))?")

# The form of an MCP protocol version.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# The attribute for the name in a call, by the first word of its method.
_MCP_TARGETS = {
    "prompts": "gen_ai.prompt.name",
    "resources": "mcp.resource.uri",
    "tasks": "mcp.task.id",
}

# The methods of the protocol. A client may send any other text, which is no part of a span's name.
_MCP_METHODS = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "notifications/roots/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
        "tools/call",
        "tools/list",
    }
)


_HEADERS = frozenset({b"host", b"mcp-protocol-version", b"user-agent"})


def request_attributes(scope: Scope) -> Attributes:
    """
    Return the attributes of a span at its start, by the conventions for HTTP. Samplers read them
    too.
    """
    method = scope.get("method") or "GET"  # of a websocket's handshake
    headers: dict[bytes, list[bytes]] = {}
    group_values(scope.get("headers") or (), _HEADERS, headers)
    agents = headers.get(b"user-agent", ())
    versions = [value.decode("latin-1") for value in headers.get(b"mcp-protocol-version", ())]
    masks, path = masks_of(scope.get(SCOPE_KEY)), scope.get("path")
    query, client = scope.get("query_string"), scope.get("client")
    attributes: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "http.request.method_original": None if method in _METHODS else method,
        "url.scheme": scope.get("scheme"),
        "url.path": masks.path(path) if isinstance(path, str) else None,
        "url.query": masks.query(query.decode("latin-1")) if query else None,
        "client.address": client_host(client),
        "network.protocol.version": scope.get("http_version"),
        "mcp.protocol.version": next(filter(_DATE.fullmatch, versions), None),
        "user_agent.original": b", ".join(agents).decode("latin-1"),
    }
    host, port = _server_of(scope, headers.get(b"host", ()))
    attributes["server.address"], attributes["server.port"] = host, port
    given: Attributes = {}
    for name, value in attributes.items():
        if not value:
            continue
        # Nearly every value is plain: a call of as_text() for it takes 200 instructions more.
        is_plain = type(value) is int or (type(value) is str and value.isascii())
        given[name] = value if is_plain else as_text(value)
    return given


def method_attributes(method: str) -> Attributes:
    """Return the attributes of a call's *method*, which is the program's own choice."""
    name = method.upper()
    if name not in _METHODS:
        return {"http.request.method": "_OTHER", "http.request.method_original": as_text(method)}
    attributes: Attributes = {"http.request.method": name}
    if name != method:
        attributes["http.request.method_original"] = method
    return attributes


def _server_of(scope: Scope, hosts: Sequence[bytes]) -> tuple[str | None, int | None]:
    """
    Return the host and port of the Host header, whose values are *hosts*, or those of the server
    where the header has none.
    """
    asked = _AUTHORITY.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    if asked is None:
        host, port = scope.get("server") or (None, None)
        return host, port
    return asked[1].strip("[]"), int(asked[2]) if asked[2] else _PORTS.get(
        scope.get("scheme") or ""
    )


def status_after(message: Message, status: int | None) -> int | None:
    """Return the status of a response after *message*; before it, the status was *status*."""
    kind = message["type"]
    if kind in ("http.response.start", "websocket.http.response.start"):
        return int(message["status"])
    if kind == "websocket.accept":
        return 101
    if kind == "websocket.close" and status is None:
        return 403  # the servers' response to a close before the accept
    return status


def call_attributes(call: Call) -> Attributes:
    """Return the attributes of a call to an MCP server, by the conventions for MCP."""
    attributes = {"mcp.method.name": call.method, "jsonrpc.request.id": call.id}
    if call.method is not None:
        attributes[_MCP_TARGETS.get(call.method.partition("/")[0], "gen_ai.tool.name")] = call.name
    if call.method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
    return {name: value for name, value in attributes.items() if value is not None}


def span_name(attributes: Attributes) -> str:
    """
    Return a span's name: the method, and the route or tool where it is known. A path is never part
    of it.
    """
    if attributes.get("mcp.method.name") in _MCP_METHODS:
        called = attributes["mcp.method.name"]
        target = attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.prompt.name")
    else:
        called, target = attributes["http.request.method"], attributes.get("http.route")
        called = "HTTP" if called == "_OTHER" else called
    return f"{called} {target}" if target else str(called)


def id_attributes(request: RequestMetadata) -> Attributes:
    """Return the ids of *request* as attributes of a span."""
    ids = {
        SESSION: request.session_id,
        REQUEST: request.request_id,
        "mcp.session.id": request.mcp_session_id,
    }
    return {name: as_text(value) for name, value in ids.items() if value}


def field_attributes(request: RequestMetadata, taken: Attributes) -> Attributes:
    """
    Return the user's fields of *request*, under their names; ``_`` is appended to a name that is
    *taken*.

    A value of a type that attributes do not have becomes its text.
    """
    attributes: dict[str, Any] = {}
    for name, value in (request._fields or {}).copy().items():
        shown = as_text(name)
        attributes[f"{shown}_" if shown in taken else shown] = _attribute(value)
    return attributes


def _attribute(value: object) -> str | int | float:
    """Return *value* if attributes can have its type, else its text."""
    if type(value) in (bool, float):
        return value  # type: ignore[return-value]
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    try:
        return as_text(value)
    except Exception:  # from the value's own code
        return object.__repr__(value)


def exception_attributes(exc: BaseException) -> Attributes:
    """Return the attributes of the event that describes *exc*."""
    return {
        "exception.type": type_name(exc),
        "exception.message": as_text(exc),
        "exception.stacktrace": as_text(
            "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
        ),
    }


def type_name(exc: BaseException) -> str:
    """Return the full name of the class of *exc*."""
    kind = type(exc)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def as_text(value: object) -> str:
    """
    Return *value* as text that has a UTF-8 form: with a lone surrogate, the exporter would lose a
    whole batch.
    """
    if type(value) is str and value.isascii():  # nearly every text
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
