"""
The outcome of a request, in the words of the access line: ``crash``, ``disconnect``, ``cancelled``,
``incomplete``.

This module reads ASGI messages in their order. It does not use OpenTelemetry's API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._core.access import is_last, is_whole_at
from .._core.exceptions import is_failure
from .._core.faults import report_once
from .._core.scope import Message, Scope
from .attributes import status_after

__all__ = ("Ending",)


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
        self._scope = scope
        self._is_http = scope["type"] == "http"
        self._receive = receive
        self._send = send
        self._has_trailers = False
        self._is_complete = False
        self._is_client_gone = False
        self._is_closed = False  # the app has closed the websocket
        self._has_client_closed = False
        self._sending: Message | None = None
        # The server closes the connection while it sends the last message: see the access line.
        self._is_closed_at_end = False
        self.status: int | None = None

    async def receive(self) -> Message:
        """Return the client's next message."""
        message = await self._receive()
        kind = message["type"]
        if kind == "websocket.disconnect" and not self._is_closed:
            self._has_client_closed = True
        if kind != "http.disconnect" or self._is_complete or self._is_client_gone:
            return message
        try:
            self._is_closed_at_end = is_whole_at(self._scope, self._sending, self._has_trailers)
        except Exception:
            report_once("reading a message for the span")
        self._is_client_gone = not self._is_closed_at_end
        return message

    async def send(self, message: Message) -> Any:
        """Pass on the app's message."""
        try:
            self.status = status_after(message, self.status)
        except Exception:
            report_once("reading a message for the span")
        self._sending = message
        try:
            result = await self._send(message)
        except OSError:  # from the server: the client has disconnected
            self._is_client_gone = True
            raise
        self._sending = None
        try:
            self._note_sent(message)
        except Exception:
            report_once("reading a message for the span")
        return result

    def _note_sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._has_trailers = bool(message.get("trailers"))
        elif is_last(message, self._has_trailers):
            self._is_complete = True
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
        if raised is not None and not is_failure(raised):
            return "cancelled"
        if self._is_client_gone:
            return "disconnect"
        if raised is not None:
            # Frameworks raise to end an app whose client has closed the websocket.
            return "disconnect" if self._has_client_closed else "crash"
        if self._is_closed_at_end:
            return None
        return "incomplete" if self._is_http else None
