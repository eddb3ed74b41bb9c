"""
Ways to drive an app: in-process requests, websockets and lifespans, and a real server.

Knows ASGI, httpx and uvicorn. Does not know asgi_trace, or any framework.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import httpx
import uvicorn
from asgiref.testing import ApplicationCommunicator
from websockets.asyncio.client import connect

from .witness import TIMEOUT, new_tag

ASGIApp = Callable[[Any, Any, Any], Awaitable[Any]]


class OuterTool:
    """
    What may stand around the shim, such as an agent that reads the scope when the app is done.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self.scopes.append(scope)
        return await self.app(scope, receive, send)

    def scope_of(self, tag: str) -> Any:
        """Return the scope of the request *tag*, as it is now."""
        return next(scope for scope in self.scopes if tag.encode() in scope.get("raw_path", b""))


class Sent(NamedTuple):
    """The ids that a request brings with it."""

    request_id: str | None = None
    session_id: str | None = None

    @classmethod
    def of(cls, tag: str) -> Sent:
        return cls(f"{tag}-request", f"{tag}-session")

    @property
    def headers(self) -> dict[str, str]:
        named = {"X-Request-ID": self.request_id, "X-Session-ID": self.session_id}
        return {name: value for name, value in named.items() if value is not None}


class Reply(NamedTuple):
    """A response, and the ids that its request sent."""

    tag: str
    response: httpx.Response
    sent: Sent

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        """The body, with the same name for every request."""
        return self.response.text.replace(self.tag, "TAG")

    @property
    def request_ids(self) -> list[str]:
        return self.response.headers.get_list("x-request-id")

    @property
    def other_headers(self) -> list[tuple[str, str]]:
        headers = self.response.headers.multi_items()
        return sorted(
            (name, value) for name, value in headers if name not in ("x-request-id", "date")
        )


async def ask(client: httpx.AsyncClient, path: str, *, with_ids: bool = False) -> Reply:
    """GET *path* for a new request, which has ids of its own or none."""
    tag = new_tag()
    sent = Sent.of(tag) if with_ids else Sent()
    response = await client.get(f"{path}/{tag}", headers={"Accept": "text/html", **sent.headers})
    return Reply(tag, response, sent)


@contextlib.asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that calls *app* in this process."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://shop.test", timeout=TIMEOUT
    ) as client:
        yield client


class Socket(NamedTuple):
    """What came of a websocket."""

    tag: str
    request_ids: list[str]
    text: str
    sent: Sent


async def talk(app: ASGIApp) -> Socket:
    """Open a websocket of *app* in this process, say hello, and return what it answered."""
    tag = new_tag()
    sent = Sent.of(tag)
    communicator = ApplicationCommunicator(app, _websocket_scope(f"/ws/{tag}", sent))
    await communicator.send_input({"type": "websocket.connect"})
    accept = await communicator.receive_output(TIMEOUT)
    await communicator.send_input({"type": "websocket.receive", "text": "hello"})
    answer = await communicator.receive_output(TIMEOUT)
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(TIMEOUT)
    request_ids = [
        value.decode() for name, value in accept["headers"] if name.lower() == b"x-request-id"
    ]
    return Socket(tag, request_ids, answer.get("text", f"no text but {answer}"), sent)


def _websocket_scope(path: str, sent: Sent) -> dict[str, Any]:
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in sent.headers.items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "subprotocols": [],
        "extensions": {},
    }


async def live(app: ASGIApp) -> tuple[list[str], dict[str, Any]]:
    """
    Start *app* and shut it down; return the types of its messages, and the state that it left for
    requests.
    """
    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    phases = iter(("startup", "shutdown"))
    messages: list[str] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"lifespan.{next(phases)}"}

    async def send(message: Any) -> None:
        messages.append(message["type"])

    await app(scope, receive, send)
    return messages, state


async def talk_over_network(address: str) -> Socket:
    """Open a websocket of the server at *address*, say hello, and return what it answered."""
    tag = new_tag()
    sent = Sent.of(tag)
    async with connect(
        f"ws://{address}/ws/{tag}", additional_headers=sent.headers, open_timeout=TIMEOUT
    ) as websocket:
        await websocket.send("hello")
        text = await websocket.recv()
        return Socket(tag, websocket.response.headers.get_all("X-Request-ID"), text, sent)


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """
    Serve *app* on a real uvicorn, in a thread; yield its address. Afterwards everything has been
    logged.
    """
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="info"))
    # Bound and listening before the server runs: a client waits in the queue, nobody has to ask
    # when it is up.
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(TIMEOUT)
    assert not thread.is_alive(), f"uvicorn did not stop within {TIMEOUT} s"
