"""
An ASGI server in one function: a real app is called with real messages, each call in a context of
its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from typing import Any

HELLO_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}
HELLO_BODY = {"type": "http.response.body", "body": b"hello"}


def http_scope(headers: Iterable[Any] = (), **more: Any) -> dict[str, Any]:
    """What uvicorn hands to an app for ``GET /``."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": list(headers),
        "state": {},
    } | more


def websocket_scope(headers: Iterable[Any] = (), **more: Any) -> dict[str, Any]:
    scope = http_scope(headers, type="websocket", scheme="ws", subprotocols=[]) | more
    del scope["method"]
    return scope


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """The smallest app."""
    await send(HELLO_START)
    await send(HELLO_BODY)


async def call(
    app: Callable[[Any, Any, Any], Awaitable[Any]],
    scope: dict[str, Any],
    received: Iterable[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Let *app* answer *scope*, and return the messages that the server gets."""
    incoming = iter(received)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(incoming)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def step(
    app: Callable[[Any, Any, Any], Awaitable[Any]],
    scope: dict[str, Any],
    received: Iterable[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """The same without an event loop, in a fresh context: for apps that wait for nothing."""
    coroutine = call(app, scope, received)
    try:
        Context().run(coroutine.send, None)
    except StopIteration as stopped:
        messages: list[dict[str, Any]] = stopped.value
        return messages
    coroutine.close()
    raise AssertionError("the app waited for something")


def response_ids(messages: Iterable[dict[str, Any]], name: bytes = b"x-request-id") -> list[bytes]:
    """Every value of the header *name* in all of *messages*, whatever its case."""
    pairs = [pair for message in messages for pair in message.get("headers", ())]
    return [_bytes(value) for key, value in pairs if _bytes(key).lower() == name]


def _bytes(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
