"""
MCP in HTTP requests: the call in a request's headers, its transport, and the session that a
response opens.

Reads the request's own snapshot of its headers. Reads no bodies, and imports no SDK.
https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._core.calls import MAX_WORD_LENGTH, NO_CALL, Call, clean
from .._core.current import elsewhere
from .._core.headers import response_values
from .._core.patterns import Pattern
from .._core.protocol import PENDING, App, Protocol, hooks
from .._core.scope import ScopeMetadata
from .._core.sessions import SessionResolver, query_values
from . import sdk
from .observer import Observer, follow_stream
from .requests import find_request, may_await_endpoint, stream_session
from .tasks import keep_ids_in_tasks

__all__ = ("MCP", "install", "read_header")

# Sent only by MCP clients of the streamable HTTP transport.
_HEADERS = frozenset({b"mcp-session-id", b"mcp-protocol-version", b"mcp-method"})

_SESSION_LENGTH = len(b"mcp-session-id")

# The form of a header value that is not plain ASCII (SEP-2243).
_ENCODED = Pattern(rb"=\?base64\?([A-Za-z0-9+/]*={0,2})\?=", re.IGNORECASE)
# A character of the kept part takes at most four bytes, and base64 makes four of three. This is a
# multiple of four.
_LONGEST_ENCODED = MAX_WORD_LENGTH * 4 * 4 // 3 // 4 * 4 + 4


def install() -> None:
    """
    Support MCP in each shim that is created after this, and in every read of the current request.
    """
    hooks.protocol = MCP
    elsewhere.find = find_request
    elsewhere.module = sdk.MODULE


class MCP(Protocol):
    """
    Requests to MCP servers, over any of the protocol's HTTP transports.

    :param sessions: the shim's session sources; a session that a server opens has the rank of the
        source that later requests send it in.
    :param parse: returns the id in a client's bytes, or None when it must not be used.
    :param observe_body: read the JSON-RPC message of each POST, and its reply.
    """

    headers = _HEADERS

    def __init__(
        self,
        sessions: SessionResolver,
        parse: Callable[[bytes], str | None],
        *,
        observe_body: bool = False,
    ) -> None:
        super().__init__(sessions, parse, observe_body=observe_body)
        # Streams of the older SSE transport name their session in the first event.
        self.follows_streams = observe_body or sdk.is_loaded()
        # The ranks of a session of the streamable transport, and of one of the older SSE transport.
        self._header_rank = sessions.rank_of_header(b"mcp-session-id")
        self._endpoint_rank = sessions.rank_of_query(b"session_id")

    def wrap(self, app: App) -> App:
        """Observe the bodies of POSTs, if the option is set."""
        keep_ids_in_tasks()
        return Observer(app) if self.observe_body else app

    def stream_started(self, request: ScopeMetadata) -> None:
        """Observe the first event of a stream of the older SSE transport."""
        follow_stream(request)

    def find_call(self, request: ScopeMetadata) -> Call:
        """Return the call that the headers ``Mcp-Method`` and ``Mcp-Name`` describe (SEP-2243)."""
        values = request._values or {}
        known = values["known_headers"] if "known_headers" in values else request._known_headers()
        if not known or b"mcp-method" not in known:
            return NO_CALL
        method = _first_word(request, b"mcp-method")
        if method is None:
            return NO_CALL
        return Call(method, _first_word(request, b"mcp-name", blanks=True))

    def find_transport(
        self, request: ScopeMetadata, known: Mapping[bytes, list[bytes]], accepted: bytes
    ) -> str | None:
        """Return ``streamable-http`` for a request of that transport."""
        if known and not _HEADERS.isdisjoint(known):
            return "streamable-http"
        # A client must accept both kinds of reply to a POST.
        if (
            request.method == "POST"
            and accepted.find(b"text/event-stream") >= 0  # see ScopeMetadata.transport_type
            and accepted.find(b"application/json") >= 0
        ):
            return "streamable-http"
        return None

    def find_session(self, request: ScopeMetadata) -> str | None:
        """Return the id of the MCP session that the request names or its response has opened."""
        for value in request._known_headers().get(b"mcp-session-id", ()):
            named = self.parse(value)
            if named is not None:
                return named
        opened = stream_session(request)
        if opened is None or opened is PENDING:
            opened = self._opened_by_header(request)
        if opened is not None:
            return opened
        # A query parameter may have another meaning, unless the request is known to be a call.
        if request._query_string and request.method == "POST" and request._call.method is not None:
            return self._first_id(query_values(request._query_string, b"session_id"))
        return None

    def opened_session(self, request: ScopeMetadata, rank: int) -> str | None:
        """
        Return the session that the response has opened, if it outranks a session of *rank*.

        Return :data:`~.protocol.PENDING` while the response to ``initialize``, or the first event
        of a stream, may still open one.
        """
        if self.follows_streams and request.method == "GET" and 0 <= self._endpoint_rank < rank:
            # Like stream_session(), without its two calls: this runs for each session that is read.
            values = request._values
            opened: str | None = None if values is None else values.get("stream_session")
            if opened is None and may_await_endpoint(request):
                opened = PENDING
            if opened is not None and (opened is not PENDING or not request.ended):
                return opened
        if not 0 <= self._header_rank < rank:
            return None
        if request._response_headers is not None:
            return self._opened_by_header(request)
        if request.method == "POST" and not request.ended and self._may_initialize(request):
            return PENDING
        return None

    def _may_initialize(self, request: ScopeMetadata) -> bool:
        """
        Whether *request* may be a client's first one; later requests name their protocol version or
        session.
        """
        if not sdk.is_loaded() or request._call.method not in (None, "initialize"):
            return False
        if not _HEADERS.isdisjoint(request._known_headers()):
            return False
        return request.transport_type == "streamable-http"

    def may_open_session(self, headers: Iterable[Any]) -> bool:
        """Whether *headers*, of any shape, may have ``Mcp-Session-Id``; few responses do."""
        try:
            for name, _ in headers:
                if len(name) == _SESSION_LENGTH and name != b"content-length":
                    return True
        except Exception:  # not a pair, or not bytes
            return True
        return False

    def _opened_by_header(self, request: ScopeMetadata) -> str | None:
        headers = request._response_headers
        if headers is None or not self.may_open_session(headers):
            return None
        return self._first_id(response_values(headers, b"mcp-session-id"))

    def _first_id(self, values: Iterable[bytes]) -> str | None:
        return next(filter(None, map(self.parse, values)), None)


def _first_word(request: ScopeMetadata, name: bytes, *, blanks: bool = False) -> str | None:
    words = (clean(read_header(value), blanks=blanks) for value in request._header(name))
    return next(filter(None, words), None)


def read_header(value: bytes) -> str | None:
    """
    Return the decoded text of an ``Mcp-Method`` or ``Mcp-Name`` header; None where it cannot be
    decoded.
    """
    value = value.strip()
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value.decode("latin-1")
    try:
        # More is decoded than is kept, and "ignore" drops a character that is cut in two.
        return a2b_base64(encoded[1][:_LONGEST_ENCODED]).decode("utf-8", "ignore")
    except Error:
        return None
