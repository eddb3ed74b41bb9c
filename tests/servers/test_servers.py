"""
What the shim promises, under real servers and over real sockets.

``table.py`` says which servers there are and what each can do, ``app.py`` what they serve. A client
stays until the server has written all of its lines, where the test is not about clients that go:
some servers fail when a client goes while they end a response, with or without the shim.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from asgi_trace._core.lines import short_session

from .conftest import RunningServer
from .harness import PATIENCE, Line
from .table import KEEPING, KINDS, RESETTING, TRACEBACK, Kind, ServerLine

VARIANTS = (RESETTING, KEEPING)


def _on(kind: Kind, variant: str, *more: str) -> str:
    return "-".join([kind.name, variant, *more])


# Whether ids are kept behind a request's end matters to the next request on its connection, and to
# the server's own lines. Nothing else is asked of both variants of the app.
each_server = pytest.mark.parametrize(
    "server",
    [pytest.param((kind, RESETTING), id=_on(kind, RESETTING)) for kind in KINDS],
    indirect=True,
)
each_variant = pytest.mark.parametrize(
    "server",
    [
        pytest.param((kind, variant), id=_on(kind, variant))
        for kind in KINDS
        for variant in VARIANTS
    ],
    indirect=True,
)
each_version = pytest.mark.parametrize(
    ("server", "version"),
    [
        pytest.param((kind, RESETTING), version, id=_on(kind, RESETTING, f"h{version}"))
        for kind in KINDS
        for version in kind.http
    ],
    indirect=["server"],
)
each_variant_and_version = pytest.mark.parametrize(
    ("server", "version"),
    [
        pytest.param((kind, variant), version, id=_on(kind, variant, f"h{version}"))
        for kind in KINDS
        for variant in VARIANTS
        for version in kind.http
    ],
    indirect=["server"],
)
each_line = pytest.mark.parametrize(
    ("server", "version", "expected"),
    [
        pytest.param(
            (kind, variant), version, line, id=_on(kind, variant, f"h{version}", line.name)
        )
        for kind in KINDS
        for variant in VARIANTS
        for version in kind.http
        for line in kind.lines
        if version == "1.1" or not line.websocket
    ],
    indirect=["server"],
)

OUTSIDE = ("none", "none")
NOT_OURS = (None, None)


class Request:
    """
    One request of a test: its marker, the ids that it brings along, and how its lines are to show
    them.
    """

    def __init__(self, server: RunningServer) -> None:
        self.marker = server.marker()
        self.request_id = f"request-of-{self.marker}"
        self.session_id = self.marker
        self.headers = {"X-Request-ID": self.request_id, "X-Session-ID": self.session_id}
        self.ids = (self.request_id, self.marker)

    def path(self, action: str) -> str:
        return f"/{action}/{self.marker}"

    def head(self, action: str, more_headers: dict[str, str] | None = None) -> bytes:
        """Return the request as it goes over the wire."""
        headers = {"Host": "localhost", **self.headers, **(more_headers or {})}
        lines = [
            f"GET {self.path(action)} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode()


def lines_of(
    server: RunningServer, request: Request, last: str
) -> list[tuple[str, tuple[str | None, str | None]]]:
    """
    Return text and ids of all lines that the app logged for *request*, as soon as the *last* one is
    there.
    """
    server.wait_for(f"{request.marker} {last}")
    return [
        (line.text, line.ids) for line in server.lines if line.text.startswith(f"{request.marker} ")
    ]


def stamped(request: Request, *texts: str) -> list[tuple[str, tuple[str, str]]]:
    return [(f"{request.marker} {text}", request.ids) for text in texts]


def check_work(
    server: RunningServer, request: Request, header_values: list[str], told: dict[str, Any]
) -> None:
    """
    The ids that the app *told* are on all lines of the request, and the request id in the
    response's header.
    """
    assert header_values == [told["request_id"]]
    ids = (told["request_id"], short_session(told["session_id"]))
    texts = ("begins", "ends", "in a task", "in a thread")
    assert sorted(lines_of(server, request, "ends")) == [
        (f"{request.marker} {text}", ids) for text in texts
    ]


def check_service(server: RunningServer, version: str) -> None:
    """The server serves a request, with the ids that it brings along."""
    request = Request(server)
    with server.client(version) as client:
        response = client.get(request.path("work"), headers=request.headers)
        check_work(server, request, response.headers.get_list("x-request-id"), response.json())
    assert response.headers["x-request-id"] == request.request_id
    assert response.json()["session_id"] == request.session_id


@each_variant_and_version
def test_concurrent_requests_keep_their_ids_apart(server: RunningServer, version: str) -> None:
    """
    Of 30 requests in flight at once, each has its own ids on its response, and on its lines from
    task and thread.
    """
    count = 30
    requests = [Request(server) for _ in range(count)]
    bare = requests[::2]  # half of them bring no ids along
    room = {"room": server.marker(), "size": str(count)}
    responses: dict[Request, httpx.Response] = {}

    async def ask(client: httpx.AsyncClient, request: Request) -> None:
        headers = {} if request in bare else request.headers
        responses[request] = await client.get(request.path("work"), params=room, headers=headers)

    async def ask_at_once() -> None:
        async with server.async_client(version) as client:
            async with anyio.create_task_group() as group:
                for request in requests:
                    group.start_soon(ask, client, request)
            for request in requests:
                server.wait_for(f"{request.marker} ends")

    anyio.run(ask_at_once)

    told = {request: response.json() for request, response in responses.items()}
    for name, expected in (
        ("request_id", count),
        ("session_id", count),
        ("port", count if version == "1.1" else 1),
    ):
        assert len({each[name] for each in told.values()}) == expected, name
    for request in requests:
        if request not in bare:
            assert told[request]["request_id"] == request.request_id
            assert told[request]["session_id"] == request.session_id
        check_work(
            server, request, responses[request].headers.get_list("x-request-id"), told[request]
        )


@each_variant
def test_pipelined_requests_keep_their_ids_apart(server: RunningServer) -> None:
    """
    Of three requests sent in one piece each has its own ids, in whatever context the server calls
    the app.
    """
    requests = [Request(server) for _ in range(3)]
    with server.connect() as connection, connection.makefile("rb") as received:
        connection.sendall(b"".join(request.head("work") for request in requests))
        for request in requests:
            status, header_values, body = read_response(received)
            assert (status, header_values) == (200, [request.request_id])
            told = json.loads(body)
            assert told["session_id"] == request.session_id
            check_work(server, request, header_values, told)


def read_response(received: BinaryIO) -> tuple[int, list[str], bytes]:
    """
    Read one response, and nothing of the next; return its status, its request ids and its body.
    """
    status = int(received.readline().split()[1])
    headers = http.client.parse_headers(received)
    return (
        status,
        headers.get_all("x-request-id", []),
        received.read(int(headers.get("content-length", 0))),
    )


@each_variant_and_version
def test_nothing_of_a_large_body_is_left_on_its_connection(
    server: RunningServer, version: str
) -> None:
    """A request behind a body of 3 MB, on the same connection, has nothing of that one's ids."""
    large, bare, last = Request(server), Request(server), Request(server)
    with server.client(version) as client:
        uploaded = client.post(
            large.path("upload"), content=bytes(3_000_000), headers=large.headers
        )
        without_ids = client.get(bare.path("work")).json()
        with_ids = client.get(last.path("work"), headers=last.headers).json()
        check_work(server, bare, [without_ids["request_id"]], without_ids)
        check_work(server, last, [last.request_id], with_ids)

    assert uploaded.headers.get_list("x-request-id") == [large.request_id]
    assert lines_of(server, large, "has read") == stamped(large, "begins", "has read 3000000 bytes")
    assert without_ids["port"] == with_ids["port"] == uploaded.json()["port"]
    assert without_ids["request_id"] not in (large.request_id, last.request_id)
    assert without_ids["session_id"] not in (large.session_id, last.session_id)
    assert with_ids["session_id"] == last.session_id


@each_version
def test_crash_before_the_response(server: RunningServer, version: str) -> None:
    """
    The client of an app that fails before it responds gets a 500 with the request id; others are
    served.
    """
    request = Request(server)
    with server.client(version) as client:
        response = client.get(request.path("crash"), headers=request.headers)
        check_service(server, version)

    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert response.headers.get_list("x-request-id") == [request.request_id]
    assert lines_of(server, request, "begins") == stamped(request, "begins")


@each_version
def test_crash_after_the_start(server: RunningServer, version: str) -> None:
    """
    The client of an app that fails behind its response's start has the request id already; others
    are served.
    """
    request = Request(server)
    with response_of(server, version, request, "crash-late") as response:
        server.wait_for(TRACEBACK.format(path=request.path("crash-late")))
        check_service(server, version)

    assert response.status_code == 200
    assert response.headers.get_list("x-request-id") == [request.request_id]
    assert lines_of(server, request, "begins") == stamped(request, "begins")


@each_version
def test_client_gone_in_the_middle(server: RunningServer, version: str) -> None:
    """
    What a request logs when its client has gone has its ids still; nothing fails, and others are
    served.
    """
    request = Request(server)
    if version == "1.1":
        with server.connect() as connection:
            connection.sendall(request.head("stream"))
            while b"xxx" not in connection.recv(4096):
                pass
    else:
        with response_of(server, version, request, "stream"):
            pass

    assert lines_of(server, request, "ends") == stamped(
        request, "begins", "sees the client go", "ends"
    )
    check_service(server, version)
    failures = [line.text for line in server.lines if line.ids == request.ids and line.continues]
    assert failures == []


@contextmanager
def response_of(
    server: RunningServer, version: str, request: Request, action: str
) -> Iterator[httpx.Response]:
    """
    Send *request*, and go on when a first part of the response's body has come; behind the block
    the client goes.
    """
    if action == "crash-late":
        server.broken = server.kind.breaks_on_late_crash
    with (
        server.client(version) as client,
        client.stream("GET", request.path(action), headers=request.headers) as response,
    ):
        next(response.iter_raw())
        yield response


@contextmanager
def websocket(server: RunningServer, request: Request, action: str) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{server.port}{request.path(action)}"
    with (
        server.connect() as connection,  # made here, so that nobody looks for a proxy
        connect(
            url, sock=connection, additional_headers=request.headers, open_timeout=PATIENCE
        ) as websocket,
    ):
        yield websocket


@contextmanager
def handshake(server: RunningServer, request: Request, action: str) -> Iterator[BinaryIO]:
    """
    Ask for a websocket that there will not be; in the block, what the server sends can be read.
    """
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = "dGhlIHNhbXBsZSBub25jZQ=="  # any 16 bytes (RFC 6455, § 4.1)
    with server.connect() as connection, connection.makefile("rb") as received:
        connection.sendall(request.head(action, headers | {"Sec-WebSocket-Key": key}))
        yield received


@each_server
def test_websockets_keep_their_ids_apart(server: RunningServer) -> None:
    """
    Of two websockets open at once, each has its own ids on its lines, and on its handshake where
    the server can.
    """
    first, second = Request(server), Request(server)
    with websocket(server, first, "echo") as one, websocket(server, second, "echo") as other:
        for word in ("hello", "goodbye"):
            for each in (one, other):
                each.send(word)
            assert [each.recv(PATIENCE) for each in (one, other)] == [word, word]
        header_values = [each.response.headers.get_all("x-request-id") for each in (one, other)]

    assert header_values == (
        [[first.request_id], [second.request_id]] if server.kind.accept_headers else [[], []]
    )
    for request in (first, second):
        expected = stamped(request, "connects", "says hello", "says goodbye", "disconnects")
        assert lines_of(server, request, "disconnects") == expected


@each_server
def test_refused_websocket(server: RunningServer) -> None:
    """
    A websocket that the app refuses with a response has the request id on it; a mere close is the
    server's 403.
    """
    request = Request(server)
    with handshake(server, request, "refuse") as received:
        status, header_values, _ = read_response(received)
        server.settle()

    assert (status, header_values) == (
        (401, [request.request_id]) if server.kind.denial else (403, [])
    )
    assert lines_of(server, request, "is refused") == stamped(request, "is refused")


@each_server
def test_websocket_crash_before_the_accept(server: RunningServer) -> None:
    """The client gets a 500: with the request id where the server can send it a response."""
    request = Request(server)
    with handshake(server, request, "crash") as received:
        status, header_values, _ = read_response(received)
        server.settle()

    assert (status, header_values) == (500, [request.request_id] if server.kind.denial else [])


@each_line
def test_line_of_the_server(server: RunningServer, version: str, expected: ServerLine) -> None:
    """
    The server's own line of a request has its ids where the table says so: of a traceback, each
    physical line.
    """
    request = Request(server)
    lines = provoke(server, version, request, expected)
    if expected.stamped is None:
        ids: tuple[str | None, str | None] = NOT_OURS
    else:
        ids = request.ids if server.variant in expected.stamped else OUTSIDE
    allowed = {ids, OUTSIDE} if expected.by_chance else {ids}
    assert [(line.text, line.ids) for line in lines if line.ids not in allowed] == []
    if expected.text == TRACEBACK:
        assert "Traceback (most recent call last):" in [line.text for line in lines]


def provoke(
    server: RunningServer, version: str, request: Request, expected: ServerLine
) -> list[Line]:
    """
    Do what makes the server write the *expected* line, and return it, with those before it in its
    record.
    """
    with client_of(server, version, request, expected):
        lines = server.record_ending(
            expected.text.format(path=request.path(expected.action), version=version)
        )
        server.settle()
    return lines


@contextmanager
def client_of(
    server: RunningServer, version: str, request: Request, expected: ServerLine
) -> Iterator[None]:
    if not expected.websocket:
        with response_of(server, version, request, expected.action):
            yield
    elif expected.action in ("refuse", "crash"):
        with handshake(server, request, expected.action):
            yield
    else:
        with websocket(server, request, expected.action) as connection:
            connection.send("go on")
            connection.recv(PATIENCE)
            if expected.action == "crash-late":
                with pytest.raises(ConnectionClosed):  # by the server
                    connection.recv(PATIENCE)
            yield


@each_server
def test_every_line_is_in_our_form_and_written_once(server: RunningServer) -> None:
    """
    configure_logging brings the lines of the server's loggers into our form, from its start, and
    doubles none.
    """
    request = Request(server)
    traceback = TRACEBACK.format(path=request.path("crash"))
    with server.client() as client:
        client.get(request.path("crash"), headers=request.headers)
        server.wait_for(traceback)
        server.settle()

    assert [line.text for line in server.lines].count(traceback) == 1
    others = [line.text for line in server.lines if line.ids == NOT_OURS]
    assert [text for text in others if not text.startswith(server.kind.plain)] == []
    start = [
        (line.text, line.ids)
        for line in server.lines
        if line.text in ("loaded", "lifespan.startup")
    ]
    assert (
        start
        == [("loaded", OUTSIDE), ("lifespan.startup", OUTSIDE)][: 2 if server.kind.lifespan else 1]
    )
