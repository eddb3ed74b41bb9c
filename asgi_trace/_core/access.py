"""
The access line: one per request, when it is over, with the target, the status and the duration.

This module observes ASGI messages and their order. The only id that it reads is the caller's span:
the filter adds the ids to its record, as to any other.
https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Any

from .access_lines import ACCESS_LOGGER, format_access, format_usual_access
from .exceptions import is_failure
from .faults import own_logger, report_once
from .masks import Masks
from .own_lines import write_line
from .protocol import Wrapper
from .request import RequestMetadata
from .scope import SCOPE_KEY, Message, Scope
from .trust import client_host

__all__ = ("AccessLog", "is_last", "is_whole_at")

_DISCONNECT = "disconnect"

# Marks a scope whose access line is already taken care of, by the outermost access log.
_TAKEN = "asgi_trace.access"


class AccessLog(Wrapper):
    """
    Write an access line for each request of *app* to the logger ``asgi_trace.access``.

    If several surround one app, the outermost writes the line, or leaves it out. If a log handler
    raises an ``Exception``, the line is lost; the response and the app's own exception stay as they
    are.

    :param app: an ASGI 3 application, inside the shim.
    :param exclude: paths that get no line: whole, or up to a ``*`` at the end.
    :param masks: masks the secrets in path and query.
    :raises ValueError: for a path that does not begin with ``/``.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[Any]],
        exclude: Iterable[str] = (),
        *,
        masks: Masks,
    ) -> None:
        if isinstance(exclude, str):
            raise ValueError(
                f"exclude is {exclude!r}; expected a sequence of paths, such as ({exclude!r},)"
            )
        paths = tuple(exclude)
        for path in paths:
            if not isinstance(path, str) or not path.startswith("/"):
                raise ValueError(
                    f"exclude has {path!r}; expected a path, such as '/health' or '/internal/*'"
                )
        self.app = app
        self._masks = masks
        self._paths = frozenset(path for path in paths if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in paths if path.endswith("*"))
        self._has_exclusions = bool(paths)

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> Any:
        kind = _EXCHANGES.get(scope["type"])
        if kind is None or _TAKEN in scope:
            return await self.app(scope, receive, send)
        scope[_TAKEN] = True
        if self._has_exclusions and self._excludes(scope.get("path")):
            return await self.app(scope, receive, send)
        exchange = kind(scope, receive, send, self._masks)
        try:
            returned = await self.app(scope, exchange.receive, exchange.send)
        except BaseException as exc:
            exchange.write(exchange.failed if is_failure(exc) else "cancelled")
            raise
        if not exchange._written:
            exchange.write(exchange.unfinished)
        return returned

    def _excludes(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        return path in self._paths or path.startswith(self._prefixes)


class _Exchange:
    """One request and its response, as seen in the messages of ``receive`` and ``send``."""

    method: str | None = None
    # the outcome, if the app returns before its response is complete
    unfinished: str | None = None
    # the outcome, if the app raises: once the client has left, frameworks raise to end the app
    failed = "crash"

    _status: int | None = None
    _bytes = 0
    _first_byte: float | None = None
    _close_code: int | None = None
    _written = False
    # the latest message of the app, until the line is written
    _latest: Message | None = None

    def __init__(
        self,
        scope: Scope,
        receive: Callable[..., Any],
        send: Callable[..., Any],
        masks: Masks,
    ) -> None:
        self._began = perf_counter()
        self._masks = masks
        self._scope = scope
        # Read at once: an app may rewrite its scope.
        self._path = scope.get("path")
        self._query = scope.get("query_string")
        self._method = scope.get("method") or self.method
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Return the client's next message."""
        message: Message = await self._receive()
        try:
            self._received(message)
        except Exception:
            report_once("reading a message for the access line")
        return message

    async def send(self, message: Message) -> Any:
        """Pass on the app's message; the line is written once the last one has been sent."""
        self._latest = message
        try:
            result = await self._send(message)
        except OSError:  # from the server: the client has disconnected
            self.unfinished = self.failed = _DISCONNECT
            raise
        try:
            self._sent(message)
        except Exception:
            report_once("reading a message for the access line")
        return result

    def _count(self, size: int) -> None:
        self._bytes += size
        if size and self._first_byte is None:
            self._first_byte = perf_counter()

    def _received(self, message: Message) -> None:
        raise NotImplementedError

    def _sent(self, message: Message) -> None:
        raise NotImplementedError

    def write(self, outcome: str | None = None) -> None:
        """Write the line, unless it is written already; *outcome* is that of a failed request."""
        if self._written:
            return
        self._written = True
        self._latest = None
        try:
            log = own_logger(ACCESS_LOGGER)
            if log.isEnabledFor(logging.INFO):
                write_line(log, *self._line(outcome))
        except Exception:
            report_once("writing an access line")

    def _line(self, outcome: str | None) -> tuple[str, dict[str, Any]]:
        """Return the message of the line, and its fields."""
        # Tenths of a millisecond: as a number of digits they are written in a tenth of the 2,500
        # instructions of a float.
        duration = int((perf_counter() - self._began) * 10_000 + 0.5)
        scope = self._scope
        request, transport, parent = scope.get(SCOPE_KEY), scope["type"], None
        if isinstance(request, RequestMetadata):
            # All ids at once, as the line's record needs them: the span alone would cost as much.
            ids = request._ids or request._line_ids()
            if "parent_span_id" in ids:
                parent = ids["parent_span_id"]
            transport = request.transport_type
            outcome = outcome or request.mcp_error
        method, target, status, size = self._method, self._shown_target(), self._status, self._bytes
        client = _shown_client(scope.get("client"))
        fields = {
            "method": method,
            "path": target,
            "status": status,
            "duration_ms": duration / 10,
            "bytes": size,
            "transport": transport,
            "client": client,
        }
        first_byte = None
        if self._first_byte is not None:
            first_byte = int((self._first_byte - self._began) * 10_000 + 0.5)
            fields["ttfb_ms"] = first_byte / 10
        if outcome is None and self._close_code is None:
            message = format_usual_access(
                method, target, status, duration, size, transport, client, first_byte, parent
            )
            if message is not None:
                return message, fields
        if self._status is None and outcome == "crash":
            fields["status"] = 500  # by the shim, a framework or the server
        if self._close_code is not None:
            fields["close_code"] = self._close_code
        if outcome is not None:
            fields["outcome"] = outcome
        fields = {name: value for name, value in fields.items() if value is not None}
        # The caller's span is on the message alone: each record has it anyway.
        return format_access(fields if parent is None else fields | {"parent": parent}), fields

    def _shown_target(self) -> str | None:
        """Return path and query without their secrets; None if neither is text."""
        shown = self._masks.path(self._path) if isinstance(self._path, str) else ""
        if self._query and isinstance(self._query, bytes):
            shown = f"{shown}?{self._masks.query(self._query.decode('latin-1'))}"
        return shown or None


def _shown_client(client: Any) -> str | None:
    """Return host and port; None if the client has no address, as on a Unix socket."""
    if type(client) is tuple and len(client) == 2:
        name, port = client
        if name and type(name) is str:
            return f"{name}:{port}"
    host = client_host(client)
    if not host:
        return None
    return f"{host}:{client[1]}" if len(client) > 1 else host


class _HTTPExchange(_Exchange):
    unfinished: str | None = "incomplete"
    _has_trailers = False

    def _received(self, message: Message) -> None:
        if message["type"] != "http.disconnect" or self.unfinished == _DISCONNECT:
            return
        if is_whole_at(self._scope, self._latest, self._has_trailers):
            self.unfinished = None
        else:
            # The outcome also of an app that continues. After a complete response it changes
            # nothing.
            self.unfinished = self.failed = _DISCONNECT

    def _sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            # Python 3.10 would write HTTPStatus.OK by that name
            self._status = int(message["status"])
            if "trailers" in message:
                self._has_trailers = bool(message["trailers"])
        elif kind == "http.response.trailers":
            if not message.get("more_trailers"):
                self.write()
        elif kind in _BODIES:
            if "body" in message:
                self._count(len(message["body"]))
            is_last = "more_body" not in message or not message["more_body"]
            if is_last and not self._has_trailers:
                self.write(_DISCONNECT if self.unfinished == _DISCONNECT else None)


class _WebSocketExchange(_Exchange):
    method = "WEBSOCKET"

    def _received(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect" and self._close_code is None:
            self._close_code = message.get("code")
            self.failed = _DISCONNECT

    def _sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._status = 101
        elif kind == "websocket.http.response.start":
            self._status = int(message["status"])
        elif kind == "websocket.close":
            if self._status is None:
                self._status = 403  # the servers' response to a close before the accept
            elif self._close_code is None:
                self._close_code = message.get("code", 1000)
        elif kind in ("websocket.send", "websocket.http.response.body"):
            self._count(
                len(
                    message.get("bytes")
                    or message.get("body")
                    or (message.get("text") or "").encode()
                )
            )


# The last two hand over a file: its size is not known here.
_BODIES = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})


def is_last(message: Message, has_trailers: bool) -> bool:
    """Whether *message* of an app is the last one of its response over HTTP. May raise."""
    if message["type"] == "http.response.trailers":
        return not message.get("more_trailers")
    return message["type"] in _BODIES and not message.get("more_body") and not has_trailers


def is_whole_at(scope: Scope, sending: Message | None, has_trailers: bool) -> bool:
    """
    Whether a response is whole although the server reports a disconnect while it sends the app's
    message *sending*. May raise.

    hypercorn closes a connection that is not kept alive, and reports that, before it returns from
    the last message; Starlette then cancels that send. uvicorn waits there until the client has
    read what came before, and reports only a client that left.
    """
    if sending is None or not is_last(sending, has_trailers):
        return False
    send = getattr(scope.get(SCOPE_KEY), "_server_send", None)
    return not str(getattr(send, "__module__", "")).startswith("uvicorn.")


_EXCHANGES: dict[str, type[_Exchange]] = {"http": _HTTPExchange, "websocket": _WebSocketExchange}
