"""
Observe MCP messages as they stream through: none is changed, held back or kept.

This module handles ASGI messages, and selects the exchanges that may be MCP's. The module
``jsonrpc`` reads their bodies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from .._core.faults import report_once
from .._core.headers import response_values
from .._core.patterns import Pattern
from .._core.scope import SCOPE_KEY, Message, Scope, ScopeMetadata
from .jsonrpc import MAX_MESSAGE_SIZE, read_endpoint, read_error, read_posted
from .requests import await_endpoint, learn_call, open_stream

__all__ = ("Observer",)

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[Any]]


class Observer:
    """
    Observe the exchanges of *app*, an ASGI 3 application inside the shim.

    :param bodies: read the JSON-RPC message of each POST, and its reply; otherwise only the first
        event of a stream of the older SSE transport, which names its session.
    """

    def __init__(self, app: Callable[..., Awaitable[Any]], *, bodies: bool) -> None:
        self.app = app
        self._bodies = bodies

    # Not async: without a coroutine of its own, a plain GET costs 2,000 instructions less.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        request = scope.get(SCOPE_KEY)
        if isinstance(request, ScopeMetadata) and scope["type"] == "http":
            try:
                if request.method == "GET":
                    # Asked first, since reading the transport type costs 15,000 instructions: one
                    # "in" compares a dozen headers in C, for 4,000.
                    may_be_stream = _EVENTS_ALONE in request._headers or _is_at_sse(request)
                    if may_be_stream and request.transport_type == "sse":
                        send = _Stream(request, send).send
                elif self._bodies and request.method == "POST" and _posts_json(request):
                    call = _Call(request, receive, send)
                    receive, send = call.receive, call.send
            except Exception:
                report_once("observing a request")
        return self.app(scope, receive, send)


_TYPE = b"content-type"
_JSON = b"application/json"
_EVENTS = b"text/event-stream"


def _media_type(values: Iterable[bytes]) -> bytes:
    for value in values:
        return value.partition(b";")[0].strip().lower()
    return b""


# The SDKs' servers have their stream at "/sse"; their clients, like EventSource, accept only events.
_EVENTS_ALONE = (b"accept", _EVENTS)


def _is_at_sse(request: ScopeMetadata) -> bool:
    path = request.path
    return isinstance(path, str) and "/sse" in path and path.rstrip("/").endswith("/sse")


def _posts_json(request: ScopeMetadata) -> bool:
    for name, value in request._headers:
        if name == _TYPE:
            return value == _JSON or _media_type((value,)) == _JSON
    return False


class _Stream:
    """
    A response that may be a stream of the older SSE transport, observed until its first event.
    """

    def __init__(self, request: ScopeMetadata, send: Send) -> None:
        self._request = request
        self._send = send
        self._is_over = False
        # A stream at any other path gets its session at once, like other requests.
        if _is_at_sse(request):
            await_endpoint(request)

    def send(self, message: Message) -> Awaitable[Any]:
        if not self._is_over:
            try:
                self._observe(message)
            except Exception:
                self._end(None)
                report_once("reading the first event of a stream")
        return self._send(message)

    def _observe(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if _media_type(response_values(message.get("headers") or (), _TYPE)) != _EVENTS:
                self._end(None)
        elif message.get("body"):
            self._end(read_endpoint(bytes(message["body"][:MAX_MESSAGE_SIZE])))

    def _end(self, session_id: bytes | None) -> None:
        self._is_over = True
        open_stream(self._request, session_id)


# An event ends with an empty line. Each of its two line ends is CRLF, LF or CR
# (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
_EVENT_END = Pattern(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n?|\n)")
_LONGEST_END = len(b"\r\n\r\n")
_BOM = b"\xef\xbb\xbf"


class _Call:
    """
    A POST of JSON: its message on the way in and, if that is a call, the reply on the way out.

    A successful response that ends without the reply leaves the call ``unanswered``.
    """

    _is_stream = False
    _id: object = None
    _reads_request = True
    _reads_reply = False
    _is_success = False

    def __init__(self, request: ScopeMetadata, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        # The part of the message, or of the event, that has come so far. A bytearray grows and
        # shrinks at its ends without copies: a body of many small messages takes linear time.
        self._buffer = bytearray()

    async def receive(self) -> Message:
        message = await self._receive()
        if self._reads_request:
            try:
                self._observe_request(message)
            except Exception:
                self._reads_request = False
                report_once("reading a call")
        return message

    def send(self, message: Message) -> Awaitable[Any]:
        if self._reads_reply:
            try:
                self._observe_reply(message)
            except Exception:
                self._reads_reply = False
                report_once("reading the reply to a call")
        return self._send(message)

    def _observe_request(self, message: Message) -> None:
        if message["type"] != "http.request":
            self._reads_request = False
            return
        body = message.get("body") or b""
        if self._buffer or message.get("more_body"):
            self._reads_request = self._append(body)
            if not self._reads_request or message.get("more_body"):
                return
            body = self._buffer[:]
            self._buffer.clear()
        self._reads_request = False
        posted = read_posted(bytes(body))
        if posted is not None:
            learn_call(self._request, posted.method, posted.name, posted.id)
            self._id = posted.id
            self._reads_reply = posted.is_call

    def _observe_reply(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers") or ())
            media_type = _media_type(response_values(headers, _TYPE))
            self._is_stream = media_type == _EVENTS
            self._reads_reply = media_type in (_JSON, _EVENTS) and not any(
                response_values(headers, b"content-encoding")
            )
            self._is_success = 200 <= int(message["status"]) < 300
        elif message["type"] == "http.response.body":
            searched = len(self._buffer)
            self._reads_reply = self._append(message.get("body") or b"")
            if not self._reads_reply:
                return
            if self._is_stream:
                self._read_events(searched)
            elif not message.get("more_body"):
                self._learn_error(bytes(self._buffer))
            if self._reads_reply and self._is_success and not message.get("more_body"):
                self._request.mcp_error = "unanswered"

    def _append(self, body: bytes) -> bool:
        """Add *body* to the buffer; return False if the two are too long together."""
        if len(self._buffer) + len(body) > MAX_MESSAGE_SIZE:
            self._buffer.clear()
            return False
        self._buffer += body
        return True

    def _read_events(self, searched: int) -> None:
        """Read the complete events in the buffer, in which no event ends before *searched*."""
        start = max(0, searched - _LONGEST_END + 1)
        while self._reads_reply:
            end = _EVENT_END.search(self._buffer, start)
            if end is None:
                return
            event = bytes(self._buffer[: end.start()])
            del self._buffer[: end.end()]
            start = 0
            self._learn_error(_data(event))

    def _learn_error(self, message: bytes) -> None:
        error = read_error(message, self._id)
        if error is not None:
            self._request.mcp_error = error or None
            self._reads_reply = False


def _data(event: bytes) -> bytes:
    """Return the data of a server-sent *event*, without its other fields."""
    lines = event.removeprefix(_BOM).splitlines()  # the stream may begin with a byte order mark
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
