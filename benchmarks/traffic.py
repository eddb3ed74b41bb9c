"""
The traffic: scopes as uvicorn makes them, and small apps that respond.

This module uses ASGI. It does not wrap apps, and measures nothing.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

__all__ = (
    "BROWSER_HEADERS",
    "App",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "connection",
    "crashing",
    "header_list",
    "hello",
    "mcp_call",
    "reading",
    "receive",
    "receive_call",
    "request",
    "send",
    "start",
    "wait_forever",
    "websocket",
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The headers that a browser sends for a page.
BROWSER_HEADERS = b"""\
host: www.example.com
connection: keep-alive
cache-control: max-age=0
sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"
upgrade-insecure-requests: 1
user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36
accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
sec-fetch-site: none
sec-fetch-mode: navigate
sec-fetch-dest: document
accept-encoding: gzip, deflate, br, zstd
accept-language: en-GB,en;q=0.9
""".splitlines()


def _lines(count: int, more: tuple[bytes, ...]) -> list[bytes]:
    filler = [
        b"x-filler-%02d: value of no interest" % number
        for number in range(count - len(BROWSER_HEADERS))
    ]
    return [*more, *BROWSER_HEADERS, *filler][:count]


def header_list(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    # New objects for each request, as from a parser: bytes that were hashed before would be found
    # faster.
    headers = []
    for line in lines:
        name, _, value = line.partition(b": ")
        headers.append((name, value))
    return headers


def request(count: int = 12, *more: bytes, query: bytes = b"") -> Callable[[], Scope]:
    """
    Return a function that makes the scope of one more GET, with *count* headers, *more* the first
    of them.
    """
    lines = _lines(count, more)

    def make() -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 54321),
            "scheme": "http",
            "root_path": "",
            "headers": header_list(lines),
            "state": {},
            "method": "GET",
            "path": "/items/42",
            "raw_path": b"/items/42",
            "query_string": query,
        }

    return make


def connection() -> Scope:
    """Make the scope of one more websocket connection."""
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 54321),
        "root_path": "",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": b"",
        "headers": header_list(BROWSER_HEADERS),
        "subprotocols": [],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }


async def receive() -> Message:
    """Replace a server's ``receive``: the apps here do not read what they receive."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Replace a server's ``send``, and do nothing."""


def start() -> Message:
    """Make the first message of a response: new each time, since some wrappers change it."""
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"13")],
    }


def hello(work: Callable[[], object] | None = None) -> App:
    """Return an app that does *work*, then answers in two messages."""
    if work is None:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(start())
            await send({"type": "http.response.body", "body": b"Hello, world!"})

        return app

    async def working_app(scope: Scope, receive: Receive, send: Send) -> None:
        work()
        await send(start())
        await send({"type": "http.response.body", "body": b"Hello, world!"})

    return working_app


_CALL = (
    b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"price","arguments":{"note":"'
    + b"x" * 900
    + b'"}}}'
)

# The headers that clients of MCP send.
_CALL_LINES = (
    b"content-type: application/json",
    b"content-length: %d" % len(_CALL),
    b"mcp-protocol-version: 2025-11-25",
)
_make_call = request(12, *_CALL_LINES)


def mcp_call() -> Scope:
    """Make the scope of one more POST to an MCP server."""
    return {**_make_call(), "method": "POST", "path": "/mcp", "raw_path": b"/mcp"}


async def receive_call() -> Message:
    """Return the body of such a POST."""
    return {"type": "http.request", "body": _CALL, "more_body": False}


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the request's body, then answer."""
    await receive()
    await send(start())
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a connection, answer one message, close."""
    await receive()
    await send({"type": "websocket.accept", "headers": []})
    await receive()
    await send({"type": "websocket.send", "text": "Hello, world!"})
    await send({"type": "websocket.close", "code": 1000})


async def crashing(scope: Scope, receive: Receive, send: Send) -> None:
    """Raise before the response starts."""
    raise RuntimeError("a bug in the app")


@types.coroutine
def wait_forever() -> Generator[None, None, None]:
    """Suspend the caller that awaits it."""
    yield
