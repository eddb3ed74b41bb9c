"""
What is seen of MCP's messages as they stream through, and that nobody can tell that somebody looks.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_trace import (
    RequestMetadata,
    RequestTracingMiddleware,
    get_request_metadata,
    get_session_id,
)
from asgi_trace._mcp.jsonrpc import MAX_MESSAGE_SIZE, read_endpoint, read_error, read_posted
from benchmarks.opcodes import count_opcodes

from ...asgi import hello, http_scope, step

pytestmark = pytest.mark.anyio

ADD = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {"name": "add", "arguments": {"a": "s3cret"}},
}
JSON = (b"content-type", b"application/json")
BOTH = (b"accept", b"application/json, text/event-stream")
EVENTS = (b"accept", b"text/event-stream")
EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")


def body(message: object) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


class Exchange:
    """One request through the shim, and all that either side has seen of it."""

    def __init__(
        self, *request: bytes, headers: Sequence[Any] = (JSON,), method: str = "POST", **scope: Any
    ) -> None:
        self.scope = http_scope(headers, method=method, **scope)
        self._incoming = [
            {"type": "http.request", "body": piece, "more_body": number < len(request)}
            for number, piece in enumerate(request, 1)
        ]
        self.received: list[Any] = []
        self.sent: list[Any] = []
        self.calls: list[str | None] = []
        self.sessions: list[str | None] = []

    async def run(
        self, *answer: bytes, headers: Sequence[Any] = (JSON,), **options: Any
    ) -> RequestMetadata:
        handed = []
        messages: list[Any] = [
            {"type": "http.response.start", "status": 200, "headers": list(headers)}
        ]
        messages += [
            {"type": "http.response.body", "body": piece, "more_body": number < len(answer)}
            for number, piece in enumerate(answer, 1)
        ]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            metadata = get_request_metadata()
            assert metadata is not None
            self.sessions.append(get_session_id())
            for _ in self._incoming:
                self.received.append(await receive())
                # Nothing is read ahead.
                assert len(handed) == len(self.received)
                self.calls.append(metadata.mcp_call)
            for number, message in enumerate(messages):
                await send(message)
                assert len(self.sent) == number + 1
                self.sessions.append(get_session_id())

        async def receive() -> Any:
            handed.append(self._incoming[len(handed)])
            return handed[-1]

        async def send(message: Any) -> None:
            self.sent.append(message)

        await RequestTracingMiddleware(app, **options)(self.scope, receive, send)
        assert all(
            ours is theirs for ours, theirs in zip(self.received, self._incoming, strict=True)
        )
        assert all(ours is theirs for ours, theirs in zip(self.sent[1:], messages[1:], strict=True))
        metadata: RequestMetadata = self.scope["asgi_trace"]
        return metadata


CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled"}


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([body(ADD)], "tools/call add #7"),
        ([body(ADD)[:9], b"", body(ADD)[9:]], "tools/call add #7"),
        ([body(ADD | {"id": "a b"})], "tools/call add #a%20b"),
        ([body(ADD | {"id": 0})], "tools/call add #0"),
        (
            [body(ADD | {"params": {"uri": "db://me:s3cret@h/t?s3cret"}})],
            "tools/call db://***@h/t?*** #7",
        ),
        ([body(ADD | {"params": None})], "tools/call #7"),
        ([body(ADD | {"params": {"name": ["s3cret"]}})], "tools/call #7"),
        # a background task
        ([body(ADD | {"method": "tasks/get", "params": {"taskId": "t-1"}})], "tasks/get t-1 #7"),
        ([body(ADD | {"method": "tasks/result", "params": {"taskId": ["x"]}})], "tasks/result #7"),
        ([body(ADD | {"params": {"taskId": "t-1"}})], "tools/call #7"),
        ([body({**ADD, "id": None})], None),
        ([body({key: ADD[key] for key in ADD if key != "id"})], None),
        ([body({key: ADD[key] for key in ADD if key != "jsonrpc"})], None),
        ([body([ADD, ADD])], None),
        # a client's notifications, and its answers to calls of the server
        ([body({**CANCELLED, "params": {"requestId": 5}})], "notifications/cancelled #5"),
        ([body({**CANCELLED, "params": {"requestId": "a]b"}})], "notifications/cancelled #a%5Db"),
        ([body({**CANCELLED, "params": {"requestId": ["s3cret"]}})], "notifications/cancelled"),
        ([body({**CANCELLED, "params": None})], "notifications/cancelled"),
        ([body({"jsonrpc": "2.0", "id": 7, "result": {}})], "response #7"),
        ([body({"jsonrpc": "2.0", "id": "x", "error": {}})], "response #x"),
        ([body({"jsonrpc": "2.0", "id": None, "error": {}})], None),
        ([body({"jsonrpc": "2.0", "id": 7})], None),
        ([body(ADD | {"method": 5})], None),
        ([body(ADD)[:-1]], None),
        ([b'{"jsonrpc": ' + b"[" * 10_000], None),
        ([b'{"jsonrpc": ' + b"1" * 5_000 + b"}"], None),
        ([b'{"jsonrpc": "\xff"}'], None),
        ([b""], None),
        ([body(ADD) + b" " * (MAX_MESSAGE_SIZE - len(body(ADD)))], "tools/call add #7"),
        ([body(ADD) + b" " * (MAX_MESSAGE_SIZE - len(body(ADD)) + 1)], None),
        ([body(ADD), b" " * MAX_MESSAGE_SIZE], None),
        ([b" " * (MAX_MESSAGE_SIZE + 1), body(ADD)], None),
    ],
    ids=lambda each: None if isinstance(each, list) else str(each),
)
async def test_the_body_tells_the_call(pieces: list[bytes], expected: str | None) -> None:
    """
    When the last of it is handed to the app, each message being the server's own object; else
    nothing is said.
    """
    exchange = Exchange(*pieces)
    await exchange.run(observe_body=True)
    assert exchange.calls == [*[None] * (len(pieces) - 1), expected]


@pytest.mark.parametrize(
    "options",
    [{"headers": ()}, {"headers": [(b"content-type", b"text/plain")]}, {"method": "PUT"}],
    ids=str,
)
async def test_other_bodies_are_not_read(options: Any) -> None:
    exchange = Exchange(body(ADD), **options)
    await exchange.run(observe_body=True)
    assert exchange.calls == [None]


async def test_no_body_is_read_unasked() -> None:
    exchange = Exchange(body(ADD))
    await exchange.run()
    assert exchange.calls == [None]


async def test_the_body_outranks_the_headers() -> None:
    """Which a client may set as it likes."""
    exchange = Exchange(
        body(ADD), headers=[JSON, (b"mcp-method", b"tools/list"), (b"mcp-name", b"innocent")]
    )
    await exchange.run(observe_body=True)
    assert exchange.calls == ["tools/call add #7"]


RESULT = {
    "jsonrpc": "2.0",
    "id": 7,
    "result": {"content": [{"type": "text", "text": "s3cret"}], "isError": True},
}
ERROR = {"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": "s3cret"}}
NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": '"isError": true'}}


def event(message: object, end: bytes = b"\r\n") -> bytes:
    return b"event: message" + end + b"data: " + body(message) + end + end


@pytest.mark.parametrize(
    ("headers", "pieces", "error"),
    [
        ([JSON], [body(RESULT)], "tool_error"),
        ([JSON], [body(RESULT)[:20], body(RESULT)[20:]], "tool_error"),
        ([JSON], [body(ERROR)], "rpc_error"),
        ([JSON], [body(RESULT | {"result": {"content": [], "isError": False}})], None),
        ([JSON], [body(RESULT | {"result": {"structuredContent": {"isError": True}}})], None),
        ([JSON], [body(RESULT | {"id": 8})], "unanswered"),
        ([JSON], [body(RESULT | {"result": None})], None),
        ([JSON], [body(NOTE)], "unanswered"),
        ([JSON], [body(RESULT)[:-1]], "unanswered"),
        ([JSON], [body(RESULT) + b" " * MAX_MESSAGE_SIZE], None),
        ([JSON, (b"Content-Encoding", b"gzip")], [body(RESULT)], None),
        ([(b"content-type", b"text/plain")], [body(RESULT)], None),
        ([EVENT_STREAM], [event(NOTE), event(RESULT), b""], "tool_error"),
        ([EVENT_STREAM], [event(NOTE, b"\n") + event(ERROR, b"\n")], "rpc_error"),
        ([EVENT_STREAM], [event(RESULT, b"\r")], "tool_error"),
        (
            [EVENT_STREAM],
            [b": ping\r\n\r\n", event(RESULT)[:40], event(RESULT)[40:], b""],
            "tool_error",
        ),
        ([EVENT_STREAM], [event(RESULT)[:-2], b""], "unanswered"),
        ([EVENT_STREAM], [event(NOTE), b""], "unanswered"),
        ([EVENT_STREAM], [event(NOTE | {"params": "x" * MAX_MESSAGE_SIZE}), event(RESULT)], None),
        ([EVENT_STREAM], [event(RESULT | {"result": {}}), event(RESULT)], None),
        (
            [EVENT_STREAM],
            [b"", b"data:" + body(RESULT).replace(b": {", b":\ndata: {") + b"\n\n"],
            "tool_error",
        ),
    ],
    ids=lambda each: None if isinstance(each, list) else str(each),
)
async def test_the_reply_tells_of_an_error(
    headers: Any, pieces: list[bytes], error: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """
    HTTP says 200; the access line says what happened, and nothing of what the arguments and the
    results were.
    """
    caplog.set_level(logging.INFO)
    metadata = await Exchange(body(ADD)).run(
        *pieces, headers=headers, observe_body=True, access_log=True
    )
    assert metadata.mcp_error == error
    (line,) = caplog.messages
    assert line.startswith("POST / 200 ")
    assert line.partition(" outcome=")[2] == (error or "")
    assert "s3cret" not in caplog.text


def framings(end: bytes) -> list[bytes]:
    """Streams of three events, in which the last tells of an error; *end* is the end of a line."""
    spread = json.dumps(RESULT, indent=1).encode().replace(b"\n", end + b"data: ")
    return [
        b": ping" + end * 2 + b"data: " + body(NOTE) + end * 2 + b"data: " + body(RESULT) + end * 2,
        b"retry: 9" + end * 2 + b"data" + end * 2 + b"id: 1" + end + b"data:" + spread + end * 2,
        end * 3
        + b"event: message"
        + end
        + b"data:"
        + body(RESULT)
        + end
        + b"id: 9"
        + end * 2
        + b"data: x",
    ]


STREAMS = [stream for end in (b"\r\n", b"\n", b"\r") for stream in framings(end)]
STREAMS += [
    b"\xef\xbb\xbf" + STREAMS[0].partition(b"\r\n\r\n")[2],
    b"\xef\xbb\xbfdata: " + body(RESULT) + b"\n\n",
]
STREAMS += [b"data: " + body(RESULT) + end for end in (b"\r\n\n", b"\n\r\n", b"\r\r\n", b"\n\r")]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("stream", STREAMS)
async def test_an_event_is_read_wherever_its_messages_end(stream: bytes) -> None:
    """
    Inside of a line end, a field's name, a byte order mark; with any of the three kinds of line
    ends.
    """
    cuts = [[stream[:cut], stream[cut:]] for cut in range(len(stream))]
    cuts += [
        [stream[at : at + size] for at in range(0, len(stream), size)] for size in (1, 2, 3, 5)
    ]
    for pieces in cuts:
        metadata = await Exchange(body(ADD)).run(*pieces, headers=[EVENT_STREAM], observe_body=True)
        assert metadata.mcp_error == "tool_error", pieces


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
async def test_one_line_end_is_no_end_of_an_event(end: bytes) -> None:
    """CRLF is one of them, also where a message ends between the two."""
    stream = b"data: " + body(RESULT)[:-1] + end + b"data: }" + end
    for cut in range(len(stream)):
        metadata = await Exchange(body(ADD)).run(
            stream[:cut], stream[cut:], headers=[EVENT_STREAM], observe_body=True
        )
        assert metadata.mcp_error == "unanswered"
        ended = await Exchange(body(ADD)).run(
            stream[:cut], stream[cut:], end, headers=[EVENT_STREAM], observe_body=True
        )
        assert ended.mcp_error == "tool_error"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_a_body_may_be_anything_like_bytes(kind: Any) -> None:
    whole = Exchange(kind(body(ADD)))
    assert (await whole.run(kind(body(RESULT)), observe_body=True)).mcp_error == "tool_error"
    assert whole.calls == ["tools/call add #7"]
    halves = Exchange(kind(body(ADD)[:9]), kind(body(ADD)[9:]))
    await halves.run(observe_body=True)
    assert halves.calls == [None, "tools/call add #7"]


ASKED = {"type": "http.request", "body": body(ADD), "more_body": False}


def reply_in(count: int) -> Any:
    """A function that lets a shim observe a reply of *count* messages of one byte."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [EVENT_STREAM]})
        for _ in range(count):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    return lambda: step(
        RequestTracingMiddleware(app, observe_body=True), http_scope([JSON], method="POST"), [ASKED]
    )


def request_in(count: int) -> Any:
    """The same with a request of *count* messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(count):
            await receive()

    pieces = [{"type": "http.request", "body": b"x", "more_body": True}] * count
    return lambda: step(
        RequestTracingMiddleware(app, observe_body=True), http_scope([JSON], method="POST"), pieces
    )


@pytest.mark.parametrize("messages", [reply_in, request_in])
def test_four_times_the_messages_are_four_times_the_work(messages: Any) -> None:
    """
    Twice that, for the noise of a machine; with a copy of the body for each message it was 13
    times.
    """

    def work(count: int) -> float:
        began = process_time()
        messages(count)()
        return process_time() - began

    few = min(work(4_000) for _ in range(5))
    many = min(work(16_000) for _ in range(3))
    assert many < 8 * few


BROWSER = [
    (b"host", b"shop"),
    (b"user-agent", b"Mozilla/5.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en"),
    (b"accept-encoding", b"gzip"),
    (b"cookie", b"a=b"),
]


@pytest.mark.parametrize(
    ("scope", "limit"),
    [
        ({"headers": BROWSER}, 70),
        ({"headers": [JSON], "method": "POST"}, 300),
        ({"headers": [(b"content-type", b"text/plain")], "method": "POST"}, 150),
    ],
    ids=["GET", "small JSON", "other POST"],
)
def test_a_request_that_is_no_mcp_costs_little(scope: Any, limit: int) -> None:
    """In instructions of the interpreter; to ask each GET for its transport type took 180."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await hello(scope, receive, send)

    def cost(observe: bool) -> int:
        traced = RequestTracingMiddleware(app, observe_body=observe)
        question = {"type": "http.request", "body": b'{"item": "lamp"}', "more_body": False}
        return count_opcodes(lambda: step(traced, http_scope(**scope), [question]))

    cost(True), cost(False)  # the first of each imports and specialises
    assert cost(True) - cost(False) < limit


async def test_the_reply_to_anything_else_is_not_read() -> None:
    metadata = await Exchange(body(NOTE)).run(body(RESULT), observe_body=True)
    assert metadata.mcp_error is None


@given(
    st.binary(max_size=200)
    | st.builds(lambda found: b'{"jsonrpc":' + found, st.binary(max_size=200))
)
@settings(max_examples=200)
def test_any_bytes_can_be_read(found: bytes) -> None:
    """None of them is a fault of ours."""
    read_posted(found), read_error(found, 7), read_endpoint(b"event: endpoint\ndata: " + found)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"\xef\xbb\xbf" + json.dumps(ADD).encode(), "add"),  # a byte order mark
        (json.dumps(ADD).replace("add", "\udc00").encode("utf-8", "surrogatepass"), "\udc00"),
        (json.dumps(ADD).encode("utf-16"), None),
        (json.dumps(ADD).encode("utf-32-be"), None),
        (b"\xff" + json.dumps(ADD).encode(), None),
    ],
)
def test_a_call_is_read_as_utf_8_alone(sent: bytes, name: str | None) -> None:
    """As JSON-RPC over HTTP is sent; a message in another encoding is none."""
    posted = read_posted(sent)
    assert (posted and posted.name) == name


@pytest.fixture
def with_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that serves MCP."""
    monkeypatch.setitem(sys.modules, "mcp.server", sys)


@pytest.fixture
def without_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mcp.server", raising=False)


ENDPOINT = b"event: endpoint\r\ndata: /messages/?session_id=0123456789abcdef\r\n\r\n"
OPENED = "0123456789abcdef"


@pytest.mark.usefixtures("with_sdk")
@pytest.mark.parametrize(
    ("first", "session"),
    [
        (ENDPOINT, OPENED),
        (ENDPOINT.replace(b"\r\n", b"\n"), OPENED),
        (ENDPOINT.replace(b"\r\n", b"\r"), OPENED),
        (b"\xef\xbb\xbf" + ENDPOINT, OPENED),
        (ENDPOINT.replace(b"data: /", b"data:https://host/sub/").replace(b"?", b"?a=b&"), OPENED),
        (ENDPOINT.replace(b"event: endpoint", b"event: message"), None),
        (b": ping\n\n" + ENDPOINT, None),
        (ENDPOINT.replace(b"=0", b"=<"), None),
        (ENDPOINT.replace(b"=0", b"=" + b"0" * 2000), None),
        (ENDPOINT[:20], None),
    ],
)
async def test_the_first_event_of_a_legacy_stream_names_its_session(
    first: bytes, session: str | None
) -> None:
    """Until then it has none, so that no line has one that gives way to another."""
    exchange = Exchange(b"", headers=[EVENTS], method="GET", path="/mounted/sse")
    metadata = await exchange.run(b"", first, ENDPOINT.replace(b"0", b"9"), headers=[EVENT_STREAM])
    before, started, empty, *after = exchange.sessions
    assert (before, started, empty) == (None, None, None)
    assert metadata.mcp_session_id == session
    assert after == [metadata.session_id] * 2
    assert (metadata.session_id == OPENED) is (session == OPENED)


@pytest.mark.usefixtures("with_sdk")
@pytest.mark.parametrize(
    ("header", "options", "expected"),
    [
        ((b"x-session-id", b"alice"), {}, "alice"),
        ((b"authorization", b"Bearer s3cret"), {}, OPENED),
        (
            (b"x-session-id", b"alice"),
            {"session_sources": ["query:session_id", "header:X-Session-ID"]},
            OPENED,
        ),
        ((b"x-session-id", b"alice"), {"session_sources": ["header:X-Session-ID"]}, "alice"),
    ],
)
async def test_a_streams_session_ranks_as_that_of_its_messages(
    header: Any, options: Any, expected: str
) -> None:
    """They name it in the query string: the stream and its messages are of one session."""
    stream = Exchange(b"", headers=[EVENTS, header], method="GET", path="/sse")
    metadata = await stream.run(ENDPOINT, headers=[EVENT_STREAM], **options)
    assert {*stream.sessions} - {None} == {metadata.session_id} == {expected}
    assert metadata.mcp_session_id == OPENED
    message = Exchange(
        body(ADD), headers=[JSON, header], query_string=f"session_id={OPENED}".encode()
    )
    posted = await message.run(observe_body=True, **options)
    assert (posted.session_id, posted.mcp_session_id) == (expected, OPENED)


@pytest.mark.usefixtures("with_sdk")
@pytest.mark.parametrize("headers", [[EVENT_STREAM], [JSON], []], ids=str)
async def test_a_stream_of_anything_else_gets_a_session_with_its_first_event(headers: Any) -> None:
    """Or with its head, where that is no stream's: and keeps it."""
    exchange = Exchange(b"", headers=[EVENTS], method="GET", path="/sse/")
    metadata = await exchange.run(b"data: 1\n\n", b"", headers=headers)
    assert metadata.session_id
    assert metadata.mcp_session_id is None
    assert exchange.sessions == [
        None,
        None if EVENT_STREAM in headers else metadata.session_id,
        *[metadata.session_id] * 2,
    ]


@pytest.mark.usefixtures("with_sdk")
@pytest.mark.parametrize("first", [ENDPOINT, b"data: 1\n\n"])
@pytest.mark.parametrize(
    ("accepted", "type_header"),
    [
        (b"text/event-stream", EVENT_STREAM),
        (b"text/event-stream, */*;q=0.1", EVENT_STREAM),
        (b"text/event-stream", (b"Content-Type", b"Text/Event-Stream; charset=utf-8")),
        (b"text/event-stream", ("content-type", "text/event-stream")),
        (b"text/event-stream", (b"content-type", bytearray(b"text/event-stream"))),
        (b"text/event-stream", [b"content-type", b"text/event-stream"]),
    ],
)
async def test_a_stream_elsewhere_has_a_session_at_once(
    first: bytes, accepted: bytes, type_header: Any
) -> None:
    """
    It may be anybody's; should it be MCP's all the same, its session is known from the first event
    on.
    """
    exchange = Exchange(b"", headers=[(b"accept", accepted)], method="GET", path="/events")
    metadata = await exchange.run(first, b"", headers=[type_header])
    before, started, *after = exchange.sessions
    assert before is not None
    assert started == before
    assert after == [OPENED if first is ENDPOINT else before] * 2
    assert metadata.session_id == after[0]


@pytest.mark.usefixtures("with_sdk")
@pytest.mark.parametrize("name", ["X-Request-ID", "X-Id", "X-Correlation-Number"])
async def test_a_stream_is_found_under_any_name_for_the_request_id(name: str) -> None:
    """The names are told apart by their length first, and one is as long as content-type."""
    exchange = Exchange(b"", headers=[EVENTS], method="GET", path="/sse")
    metadata = await exchange.run(ENDPOINT, headers=[EVENT_STREAM], header_name=name)
    assert metadata.session_id == OPENED


@pytest.mark.usefixtures("without_sdk")
async def test_without_an_sdk_a_stream_has_its_session_at_once() -> None:
    exchange = Exchange(b"", headers=[EVENTS], method="GET", path="/sse")
    metadata = await exchange.run(ENDPOINT, headers=[EVENT_STREAM])
    assert exchange.sessions == [metadata.session_id] * 3
    assert metadata.session_id != OPENED


BEARER = (b"authorization", b"Bearer s3cret")


@pytest.mark.usefixtures("without_sdk")
async def test_without_an_sdk_no_request_waits_for_its_session() -> None:
    exchange = Exchange(b"", headers=[BOTH])
    metadata = await exchange.run(b"x")
    assert exchange.sessions == [metadata.session_id] * 3


@pytest.mark.usefixtures("with_sdk")
@pytest.mark.parametrize(
    ("headers", "opened", "waits"),
    [
        ([BOTH], True, True),
        ([BOTH], False, True),
        ([BOTH, BEARER], True, True),
        ([BOTH, BEARER], False, True),
        ([BOTH, (b"x-session-id", b"alice")], True, False),
        ([BOTH, (b"mcp-session-id", b"m1")], True, False),
        ([BOTH, (b"mcp-protocol-version", b"2025-11-25")], False, False),
        ([BOTH, (b"mcp-method", b"tools/call")], False, False),
        ([(b"accept", b"application/json")], False, False),
        ([], False, False),
    ],
)
async def test_a_request_that_may_open_a_session_has_none_before(
    headers: Any, opened: bool, waits: bool
) -> None:
    """The one that it has from then on is the one that the session's later requests have."""
    exchange = Exchange(b"", headers=headers)
    metadata = await exchange.run(b"x", headers=[(b"Mcp-Session-Id", b"m2")] if opened else [])
    before, *after = exchange.sessions
    assert after == [metadata.session_id] * 2
    assert before == (None if waits else metadata.session_id)
    assert (metadata.session_id == "m2") is (opened and waits)


@pytest.mark.usefixtures("with_sdk")
async def test_a_call_that_is_known_opens_no_session() -> None:
    """On a server without sessions, for a client that is too old to name its protocol."""
    exchange = Exchange(body(ADD), headers=[JSON, BOTH])
    metadata = await exchange.run(b"x", observe_body=True)
    before, *after = exchange.sessions
    assert (before, after) == (None, [metadata.session_id] * 2)
    again = Exchange(body(ADD | {"method": "initialize"}), headers=[JSON, BOTH])
    await again.run(b"x", headers=[(b"mcp-session-id", b"m2")], observe_body=True)
    assert again.sessions == [None, "m2", "m2"]


async def test_a_request_without_an_answer_gets_its_session_in_the_end() -> None:
    """So that its traceback and its access line are of one session."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError

    scope = http_scope([BOTH], method="POST")
    with pytest.raises(KeyError):
        await RequestTracingMiddleware(app, error_response=False)(scope, None, None)  # type: ignore[arg-type]
    assert scope["asgi_trace"].session_id
