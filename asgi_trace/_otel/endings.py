"""
The outcome of a request, in the words of the access line: ``crash``, ``disconnect``, ``cancelled``,
``incomplete``.

This module reads ASGI messages in their order. It does not use OpenTelemetry's API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._core.faults import report_once
from .._core.scope import Message, Scope
from .attributes import status_after

__all__ = ("Ending",)

_LAST = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})


class Ending:
    """
    An observer of the messages between server and app, for the outcome of a request.

    ``receive`` and ``send`` replace the server's. ``status`` is that of the response; None before
    there is one.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[Any]],
    ) -> None:
        self._is_http = scope["type"] == "http"
        self._receive = receive
        self._send = send
        self._has_trailers = False
        self._is_complete = False
        self._is_client_gone = False
        self._is_closed = False  # the app has closed the websocket
        self._has_client_closed = False
        self.status: int | None = None

    async def receive(self) -> Message:
        """Return the client's next message."""
        message = await self._receive()
        kind = message["type"]
        if kind == "http.disconnect" and not self._is_complete:
            self._is_client_gone = True
        elif kind == "websocket.disconnect" and not self._is_closed:
            self._has_client_closed = True
        return message

    async def send(self, message: Message) -> Any:
        """Pass on the app's message."""
        try:
            self.status = status_after(message, self.status)
        except Exception:
            report_once("reading a message for the span")
        try:
            result = await self._send(message)
        except OSError:  # from the server: the client has disconnected
            self._is_client_gone = True
            raise
        try:
            self._note_sent(message)
        except Exception:
            report_once("reading a message for the span")
        return result

    def _note_sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._has_trailers = bool(message.get("trailers"))
        elif kind == "http.response.trailers":
            self._is_complete = not message.get("more_trailers")
        elif kind in _LAST and not message.get("more_body"):
            self._is_complete = not self._has_trailers
        elif kind == "websocket.close":
            self._is_closed = self.status == 101  # else it is a response: the server's 403

    def outcome(self, raised: BaseException | None) -> str | None:
        """
        Return the outcome of the request; None if it ended normally.

        :param raised: the exception that left the app.
        """
        if self._is_complete:
            # An exception after the response has no effect on it.
            return "disconnect" if self._is_client_gone else None
        if raised is not None and not isinstance(raised, Exception):
            return "cancelled"
        if self._is_client_gone:
            return "disconnect"
        if raised is not None:
            # Frameworks raise to end an app whose client has closed the websocket.
            return "disconnect" if self._has_client_closed else "crash"
        return "incomplete" if self._is_http else None
