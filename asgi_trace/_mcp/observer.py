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
from .._core.protocol import Wrapper
from .._core.scope import SCOPE_KEY, Message, Scope, ScopeMetadata, Send
from .jsonrpc import MAX_MESSAGE_SIZE, read_endpoint, read_error, read_posted
from .requests import await_endpoint, learn_call, open_stream

__all__ = ("Observer", "follow_stream")

Receive = Callable[[], Awaitable[Message]]


class Observer(Wrapper):
    """
    Observe the calls to *app*, an ASGI 3 application inside the shim: the JSON-RPC message of each
    POST, and its reply.
    """

    def __init__(self, app: Callable[..., Awaitable[Any]]) -> None:
        self.app = app

    # Not async: without a coroutine of its own, a plain GET costs 2,000 instructions less.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        if scope.get("method") == "POST":
            try:
                request = scope.get(SCOPE_KEY)
                if isinstance(request, ScopeMetadata) and _posts_json(request):
                    call = _Call(request, receive, send)
                    receive, send = call.receive, call.send
            except Exception:
                report_once("observing a request")
        return self.app(scope, receive, send)


def follow_stream(request: ScopeMetadata) -> None:
    """
    Observe the response to *request*, a stream of events, until its first event, if a client of the
    older SSE transport could have asked for it.
    """
    if request.transport_type == "sse":
        await_endpoint(request)
        request._server_send = _Stream(request, request._server_send).send


_TYPE = b"content-type"
_JSON = b"application/json"
_EVENTS = b"text/event-stream"


def _media_type(values: Iterable[bytes]) -> bytes:
    for value in values:
        return value.partition(b";")[0].strip().lower()
    return b""


def _posts_json(request: ScopeMetadata) -> bool:
    for name, value in request._headers:
        if name == _TYPE:
            return value == _JSON or _media_type((value,)) == _JSON
    return False


class _Stream:
    """The server's send for a stream of events, which observes the first one."""

    def __init__(self, request: ScopeMetadata, send: Send) -> None:
        self._request = request
        self._send = send

    def send(self, message: Message) -> Awaitable[Any]:
        try:
            body = message.get("body")
            if body:
                self._request._server_send = self._send  # no later message comes here
                open_stream(self._request, read_endpoint(bytes(body[:MAX_MESSAGE_SIZE])))
        except Exception:
            open_stream(self._request, None)
            report_once("reading the first event of a stream")
        return self._send(message)


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
