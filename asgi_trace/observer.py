"""
Looks at the messages of MCP as they stream through: none is changed, held back or kept.

Knows ASGI, and which exchanges may be MCP's. What their bodies mean it asks ``jsonrpc``, and tells the request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from .faults import report_once
from .headers import response_values
from .jsonrpc import MAX_MESSAGE_SIZE, read_call, read_endpoint, read_error
from .mcp_requests import await_endpoint, learn_call, open_stream
from .scopes import SCOPE_KEY, Message, Scope, ScopeMetadata

__all__ = ("Observer",)

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[Any]]


class Observer:
    """
    Observe the exchanges of *app*, an ASGI 3 application inside the shim.

    :param bodies: read the JSON-RPC message of each POST, and its reply; otherwise only the first event of a stream of
        the older SSE transport, which names its session.
    """

    def __init__(self, app: Callable[..., Awaitable[Any]], *, bodies: bool) -> None:
        self.app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        request = scope.get(SCOPE_KEY)
        if isinstance(request, ScopeMetadata) and scope["type"] == "http":
            try:
                if request.method == "GET" and request.transport_type == "sse":
                    send = _Stream(request, send).send
                elif self._bodies and request.method == "POST" and _media_type(request._header(_TYPE)) == _JSON:
                    call = _Call(request, receive, send)
                    receive, send = call.receive, call.send
            except Exception:
                report_once("observing a request")
        return await self.app(scope, receive, send)


_TYPE = b"content-type"
_JSON = b"application/json"
_EVENTS = b"text/event-stream"


def _media_type(values: Iterable[bytes]) -> bytes:
    return next(iter(values), b"").partition(b";")[0].strip().lower()


def _joined(before: bytes | None, more: Any) -> bytes | None:
    """Return both, or None once they are too long together."""
    return None if before is None or len(before) + len(more) > MAX_MESSAGE_SIZE else before + bytes(more)


class _Stream:
    """A response that may be a stream of the older SSE transport: until its first event has gone by."""

    def __init__(self, request: ScopeMetadata, send: Send) -> None:
        self._request = request
        self._send = send
        self._is_over = False
        # Where the SDKs have it, unless told otherwise. Other streams have a session at once, as all requests do.
        if (request.path or "").rstrip("/").endswith("/sse"):
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


# An event ends with an empty line, in any of the three kinds of line ends.
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class _Call:
    """A POST of JSON: its message on the way in and, where that is a call, the reply on the way out."""

    def __init__(self, request: ScopeMetadata, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        # What has gone by and cannot be read yet; None, when there is nothing more to find out.
        self._question: bytes | None = b""
        self._answer: bytes | None = None
        self._is_stream = False
        self._id: object = None

    async def receive(self) -> Message:
        message = await self._receive()
        if self._question is not None:
            try:
                self._observe_question(message)
            except Exception:
                self._question = None
                report_once("reading a call")
        return message

    def send(self, message: Message) -> Awaitable[Any]:
        if self._answer is not None:
            try:
                self._observe_answer(message)
            except Exception:
                self._answer = None
                report_once("reading the reply to a call")
        return self._send(message)

    def _observe_question(self, message: Message) -> None:
        if message["type"] != "http.request":
            self._question = None
            return
        body = self._question = _joined(self._question, message.get("body") or b"")
        if body is None or message.get("more_body"):
            return
        self._question = None
        call = read_call(body)
        if call is not None:
            learn_call(self._request, *call)
            self._id, self._answer = call[2], b""

    def _observe_answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers") or ())
            kind = _media_type(response_values(headers, _TYPE))
            self._is_stream = kind == _EVENTS
            if kind not in (_JSON, _EVENTS) or any(response_values(headers, b"content-encoding")):
                self._answer = None
        elif message["type"] == "http.response.body":
            self._answer = _joined(self._answer, message.get("body") or b"")
            if self._answer is None:
                return
            if self._is_stream:
                *events, self._answer = _EVENT_END.split(self._answer)
            else:
                events = [] if message.get("more_body") else [self._answer]
            for event in events:
                error = read_error(_data(event) if self._is_stream else event, self._id)
                if error is not None:
                    self._request.mcp_error = error or None
                    self._answer = None
                    return


def _data(event: bytes) -> bytes:
    """Return the data of a server-sent *event*, whatever other fields it has."""
    return b"\n".join(line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:"))
