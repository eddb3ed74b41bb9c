"""
What an ASGI scope tells of its request, read when it is first asked for.

Knows scopes and headers. Does not know receive and send, and awaits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from itertools import chain
from time import time
from typing import Any

from .context import RequestMetadata
from .faults import report_once
from .headers import Headers, header_values, replaced_header
from .sessions import SessionResolver
from .tracecontext import TraceContext, parse_traceparent

__all__ = ("SCOPE_KEY", "Message", "Scope", "ScopeMetadata", "Settings")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

SCOPE_KEY = "asgi_trace"
"""Where a traced scope holds its :class:`RequestMetadata`."""

# Sent by MCP clients of the streamable HTTP transport alone.
_MCP_HEADERS = frozenset({b"mcp-session-id", b"mcp-protocol-version", b"mcp-method"})


class _Anything:
    """Equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Settings:
    """What requests are read by, prepared once; :class:`~asgi_trace.RequestTracingMiddleware` documents each."""

    __slots__ = ("generate", "header", "inbound", "parse", "sessions", "trust_inbound")

    def __init__(
        self,
        *,
        header: bytes,
        generate: Callable[[], str],
        parse: Callable[[bytes], str | None],
        sessions: SessionResolver,
        trust_inbound: bool,
    ) -> None:
        self.header = header
        self.generate = generate
        self.parse = parse
        self.sessions = sessions
        self.trust_inbound = trust_inbound
        # ``inbound in headers`` compares names in C, at 25 ns a header where a loop in Python takes 40.
        self.inbound = (header, _Anything())


class ScopeMetadata(RequestMetadata):
    """
    The metadata of a request that came in over ASGI.

    Only what every request needs is read at once. The rest comes from a snapshot of the headers when it is first
    asked for: the same in every task and thread, and whatever an inner app does to the scope meanwhile.
    """

    request_id: str
    _settings: Settings
    _headers: Headers
    _query_string: bytes
    _kind: str = "http"
    _session_id: str | None = None
    _session_rank: int
    _transport_type: str | None = None
    _response_headers: list[Any] | None = None
    _examined_headers: list[Any] | None = None

    __init__ = object.__init__  # filled by read(): a type call with arguments is 60 ns more

    def read(self, scope: Scope, settings: Settings) -> None:
        """Take from *scope* what every request needs."""
        self.start_time = time()
        self._settings = settings
        try:
            headers = scope["headers"]
            self._query_string = scope["query_string"]
            self.path = scope["path"]
            self.method = scope["method"]
        except KeyError:  # a websocket has no method; a hand-made scope may lack more
            headers = self._read_sparse(scope)
        if type(headers) is not list or (headers and type(headers[0]) is not tuple):
            headers = self._regular(scope, headers)
        self._headers = headers = tuple(headers)  # a snapshot: the list is the app's to change
        if settings.inbound in headers:
            self._take_over(settings)
        else:
            self.request_id = settings.generate()

    @staticmethod
    def _regular(scope: Scope, headers: Iterable[Any]) -> Headers:
        if isinstance(headers, Iterator):
            headers = scope["headers"] = list(headers)  # the app must find what we have read
        return [(bytes(name), bytes(value)) for name, value in headers]

    def _read_sparse(self, scope: Scope) -> Iterable[Any]:
        self._kind = scope["type"]
        self._query_string = scope.get("query_string") or b""
        self.path = scope.get("path")
        self.method = scope.get("method")
        return scope.get("headers") or ()

    def _take_over(self, settings: Settings) -> None:
        values = header_values(self._headers, settings.header)
        inbound = next(filter(None, map(settings.parse, values)), None)
        if settings.trust_inbound and inbound is not None:
            self.request_id = inbound
        else:
            self.parent_request_id = inbound
            self.request_id = settings.generate()

    def stamp(self, message: Message) -> Message:
        """Return a response's first *message*, a new one, with this request's id in its headers."""
        # The app's own message stays as it is: it may be a constant that serves every request.
        message = message.copy() if type(message) is dict else dict(message)
        headers = replaced_header(message.get("headers") or (), self._settings.header, self.request_id.encode())
        self._response_headers = message["headers"] = headers
        return message

    @property
    def response_started(self) -> bool:
        """Whether the app has begun to answer."""
        return self._response_headers is not None

    @property
    def session_id(self) -> str | None:
        """The session of the request, or of its response where that opens one; made, where neither tells."""
        if self._session_id is None or self._examined_headers is not self._response_headers:
            self._settle_session()
        return self._session_id

    @session_id.setter
    def session_id(self, value: str | None) -> None:
        self._session_rank = -1
        self._session_id = value

    def _settle_session(self) -> None:
        # Without a lock: all of this is a function of what was read at entry, so two threads find the same.
        sessions, response_headers = self._settings.sessions, self._response_headers
        try:
            if self._session_id is None:
                session_id, self._session_rank = sessions.resolve(self._headers, self._query_string)
                self._session_id = session_id or self._derive("session")
            if response_headers is not None:
                self._session_id = sessions.adopt(response_headers, self._session_rank) or self._session_id
        except Exception:
            report_once("reading the session id")
            self._session_id = self._session_id or self._derive("session")
        self._examined_headers = response_headers

    @property
    def transport_type(self) -> str | None:
        """``websocket``, ``streamable-http`` (of MCP), ``sse`` or ``http``: as the request's headers tell."""
        if self._transport_type is None:
            self._transport_type = self._find_transport()
        return self._transport_type

    @transport_type.setter
    def transport_type(self, value: str | None) -> None:
        self._transport_type = value

    def _find_transport(self) -> str:
        if self._kind == "websocket":
            return "websocket"
        try:
            return self._find_http_transport()
        except Exception:
            report_once("reading the transport type")
            return "http"

    def _find_http_transport(self) -> str:
        accepted = b",".join(header_values(self._headers, b"accept")).lower()
        streams = b"text/event-stream" in accepted
        # MCP's clients must accept both kinds of reply to a POST, and name their session or protocol otherwise.
        both = streams and b"application/json" in accepted and self.method == "POST"
        if both or not _MCP_HEADERS.isdisjoint(chain.from_iterable(self._headers)):
            return "streamable-http"
        return "sse" if streams else "http"

    def _parent_trace(self) -> TraceContext | None:
        if not self._settings.trust_inbound:
            return None
        try:
            inbound = header_values(self._headers, b"traceparent")
            # Two of them, and nobody knows whose child we are: the standard restarts the trace.
            return parse_traceparent(inbound[0].decode("latin-1").strip(" \t")) if len(inbound) == 1 else None
        except Exception:
            report_once("reading the trace context")
            return None
