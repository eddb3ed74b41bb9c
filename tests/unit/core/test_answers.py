"""What a response tells besides its request's id, where it is asked to."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_trace import RequestTracingMiddleware, get_request_metadata

from ...asgi import HELLO_BODY, hello, http_scope, response_ids, step, websocket_scope
from ...serving import served

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = (b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())
ORIGIN = (b"access-control-allow-origin", b"https://shop.example")
ALL = {
    "session_response_header": "X-Session-ID",
    "traceresponse": True,
    "server_timing": True,
    "expose_headers": True,
}


def answering(*headers: Any, status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(HELLO_BODY)

    return app


def ask(app: Any, *inbound: Any, **options: Any) -> tuple[list[dict[str, Any]], Any]:
    scope = http_scope(inbound)
    return step(RequestTracingMiddleware(app, **options), scope), scope["asgi_trace"]


def test_a_response_tells_its_requests_id_and_no_more() -> None:
    """Unless it is asked to."""
    messages, _ = ask(answering(ORIGIN), PARENT)
    assert {name for name, _ in messages[0]["headers"]} == {
        b"access-control-allow-origin",
        b"x-request-id",
    }


def test_the_trace_comes_back() -> None:
    """W3C's traceresponse: the trace, and the span that this request is; an app's own gives way."""
    messages, metadata = ask(answering((b"TraceResponse", b"own")), PARENT, traceresponse=True)
    assert response_ids(messages, b"traceresponse") == [
        f"00-{TRACE}-{metadata.span_id}-01".encode()
    ]


def test_the_timing_is_one_more() -> None:
    """Beside an app's own: the trace for scripts, and milliseconds."""
    messages, metadata = ask(answering((b"Server-Timing", b"db;dur=3")), PARENT, server_timing=True)
    own, ours = response_ids(messages, b"server-timing")
    assert own == b"db;dur=3"
    pattern = rf'traceparent;desc="00-{TRACE}-{metadata.span_id}-01", app;dur=\d+\.\d'
    assert re.fullmatch(pattern.encode(), ours), ours


def test_the_timing_counts_milliseconds_from_the_start() -> None:
    hour = 3_600

    async def app(scope: Any, receive: Any, send: Any) -> None:
        get_request_metadata().start_time -= hour
        await hello(scope, receive, send)

    messages, _ = ask(app, server_timing=True)
    (ours,) = response_ids(messages, b"server-timing")
    assert hour * 1000 <= float(ours.rpartition(b"=")[2]) < 2 * hour * 1000


@pytest.mark.parametrize(
    ("inbound", "sources", "sent"),
    [
        ([(b"x-session-id", b"abc12345")], ("header:X-Session-ID",), True),
        ([(b"mcp-session-id", b"abc12345")], ("header:Mcp-Session-Id", "bearer"), True),
        ([], ("header:X-Session-ID",), True),
        ([(b"authorization", b"Bearer s3cret-token")], ("header:X-Session-ID", "bearer"), False),
        ([(b"cookie", b"sid=s3cret")], ("cookie:sid",), False),
        (
            [(b"authorization", b"Bearer s3cret"), (b"x-session-id", b"abc12345")],
            ("header:X-Session-ID", "bearer"),
            True,
        ),
    ],
)
def test_the_session_comes_back(
    inbound: list[tuple[bytes, bytes]], sources: Any, sent: bool
) -> None:
    """
    Told or made, so that a client can go on with it; a digest of its secret is of no use to it.
    """
    messages, metadata = ask(
        hello, *inbound, session_sources=sources, session_response_header="X-Session-ID"
    )
    assert metadata.session_id
    assert response_ids(messages, b"x-session-id") == [metadata.session_id.encode()] * sent


def test_a_session_that_the_response_opens_comes_back() -> None:
    """The one that the log carries from here on."""
    options = {"session_response_header": "X-Session-ID"}
    messages, metadata = ask(
        answering((b"mcp-session-id", b"opened"), (b"x-session-id", b"own")), **options
    )
    assert response_ids(messages, b"x-session-id") == [b"opened"]
    assert metadata.session_id == "opened"


@pytest.mark.parametrize(
    ("made", "sent"), [("alice", [b"alice"]), ("a\r\nX-Evil: 1", []), ("müller", []), (None, None)]
)
def test_a_session_set_by_hand_comes_back_where_it_can(
    made: str | None, sent: list[bytes] | None
) -> None:
    """What no header may have in it stays here."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        metadata.session_id = made
        await hello(scope, receive, send)

    messages, metadata = ask(app, session_response_header="X-Session-ID")
    assert response_ids(messages, b"x-session-id") == (
        [metadata.session_id.encode()] if sent is None else sent
    )


OURS = b"X-Request-ID, X-Session-ID, traceresponse"


@pytest.mark.parametrize(
    ("headers", "exposed"),
    [
        ([], []),
        ([(b"access-control-expose-headers", b"X-Total")], [b"X-Total"]),
        ([ORIGIN], [OURS]),
        ([("Access-Control-Allow-Origin", "*")], [OURS]),
        ([ORIGIN, (b"access-control-expose-headers", b"X-Total")], [b"X-Total, " + OURS]),
        (
            [ORIGIN, (b"Access-Control-Expose-Headers", b"a , ,x-request-id")],
            [b"a, x-request-id, X-Session-ID, traceresponse"],
        ),
        (
            [ORIGIN, *[(b"access-control-expose-headers", name) for name in (b"a", b"b")]],
            [b"a, b, " + OURS],
        ),
        ([ORIGIN, (b"access-control-expose-headers", b"*")], [b"*"]),
        (
            [
                ORIGIN,
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", b"*"),
            ],
            [b"*, " + OURS],
        ),
    ],
)
def test_a_browser_may_show_ours_to_another_origin(
    headers: list[Any], exposed: list[bytes]
) -> None:
    """
    Merged with what the app exposes; where there are no CORS headers there is nothing to merge.
    """
    messages, _ = ask(answering(*headers), **ALL)
    assert response_ids(messages, b"access-control-expose-headers") == exposed


def test_an_apps_message_stays_as_it_is() -> None:
    """It may be a constant."""
    headers = [ORIGIN]
    start = {"type": "http.response.start", "status": 200, "headers": headers}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send(HELLO_BODY)

    for _ in range(2):
        messages, _ = ask(app, **ALL)
        assert len(messages[0]["headers"]) == 6
    assert start["headers"] is headers
    assert headers == [ORIGIN]


@pytest.mark.parametrize(
    "headers",
    [None, [("x", 1)], [7], [(b"access-control-allow-origin",)], [(None, None)], iter([])],
)
def test_headers_that_are_none_are_borne(headers: Any) -> None:
    """The server complains of the app's, not of ours."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    (message,), metadata = ask(app, **ALL)
    assert (b"x-request-id", metadata.request_id.encode()) in message["headers"]


def test_a_websocket_is_told_as_much() -> None:
    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    messages = step(
        RequestTracingMiddleware(accept, **ALL, trust_inbound=("::1",)), websocket_scope()
    )
    assert [name for name, _ in messages[0]["headers"]] == [
        b"x-request-id",
        b"x-session-id",
        b"traceresponse",
        b"server-timing",
    ]


@pytest.mark.parametrize("name", ["", "X Session", "a\r\nb", 7, "x-request-id"])
def test_a_name_that_is_none_fails_early(name: Any) -> None:
    """Nor may it be the request id's."""
    with pytest.raises(ValueError, match=re.escape(f"session_response_header is {name!r}")):
        RequestTracingMiddleware(hello, session_response_header=name)


def test_a_framework_behind_a_server() -> None:
    """Starlette's own CORS middleware, and what a client of another origin gets of it."""
    cors = Middleware(
        CORSMiddleware, allow_origins=["https://shop.example"], expose_headers=["X-Total"]
    )
    app = Starlette(
        routes=[Route("/", lambda request: PlainTextResponse("hello"))], middleware=[cors]
    )
    with served(RequestTracingMiddleware(app, **ALL)) as port:
        answer = httpx.get(
            f"http://127.0.0.1:{port}/", headers={"Origin": "https://shop.example"}, trust_env=False
        )
        again = httpx.get(
            f"http://127.0.0.1:{port}/",
            headers={"X-Session-ID": answer.headers["x-session-id"]},
            trust_env=False,
        )
    assert answer.headers["access-control-expose-headers"] == "X-Total, " + OURS.decode()
    assert again.headers["x-session-id"] == answer.headers["x-session-id"]
    assert "access-control-expose-headers" not in again.headers
