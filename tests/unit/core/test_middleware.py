from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import inspect
import logging
import pickle
import re
import traceback
from contextvars import Context
from types import MappingProxyType
from typing import Any

import pytest
import trio

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TraceContext,
    bound_request_metadata,
    get_request_id,
    get_request_metadata,
    get_session_id,
)
from asgi_trace._core import exceptions
from asgi_trace._core.exceptions import metadata_of
from asgi_trace._core.tracecontext import RANDOM
from asgi_trace._logging.records import IDS

from ...asgi import (
    HELLO_BODY,
    HELLO_START,
    call,
    hello,
    http_scope,
    response_ids,
    step,
    websocket_scope,
)

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def responding(*messages: dict[str, Any], then: BaseException | None = None) -> Any:
    """An app that sends *messages*, and raises *then*."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if then is not None:
            raise then

    return app


@pytest.mark.parametrize(
    ("inbound", "expected"),
    [
        ([b"a1b2c3d4"], b"a1b2c3d4"),
        ([b" a1b2c3d4 "], b"a1b2c3d4"),
        ([b"bad id", b"good"], b"good"),
        ([b"first", b"second"], b"first"),
        ([b"x" * 128], b"x" * 128),
        ([], None),
        ([b""], None),
        ([b"x" * 129], None),
        ([b"a\r\nx-evil: 1"], None),
        ([b"bad id", b"\x85"], None),
    ],
)
def test_a_valid_inbound_id_is_taken_over(inbound: list[bytes], expected: bytes | None) -> None:
    """Else one is made; either way the response has it once."""
    headers = [(b"host", b"h"), *((b"x-request-id", value) for value in inbound)]
    (answered,) = response_ids(step(RequestTracingMiddleware(hello), http_scope(headers)))
    assert answered == expected if expected else re.fullmatch(b"[0-9a-f]{32}", answered)


@pytest.mark.parametrize(
    "shape", [list, tuple, iter, lambda pairs: [list(pair) for pair in pairs], dict]
)
def test_request_headers_are_read_in_every_shape(shape: Any) -> None:
    """A server may hand them over as lists of lists; the app finds what was there."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pairs = scope["headers"].items() if isinstance(scope["headers"], dict) else scope["headers"]
        seen.extend(tuple(pair) for pair in pairs)
        await hello(scope, receive, send)

    given = shape([(b"host", b"h"), (b"x-request-id", b"a1b2c3d4")])
    scope = http_scope()
    scope["headers"] = given.items() if isinstance(given, dict) else given
    assert response_ids(step(RequestTracingMiddleware(app), scope)) == [b"a1b2c3d4"]


def test_an_untrusted_id_is_kept_as_the_parent() -> None:
    """trust_inbound=False makes id and trace, whatever a client sends."""
    scope = http_scope([(b"x-request-id", b"a1b2c3d4"), (b"traceparent", PARENT)])
    (answered,) = response_ids(step(RequestTracingMiddleware(hello, trust_inbound=False), scope))
    metadata = scope["asgi_trace"]
    assert metadata.parent_request_id == "a1b2c3d4"
    assert answered.decode() == metadata.request_id == metadata.trace_id != "a1b2c3d4"


@pytest.mark.parametrize(
    ("headers", "trace_id", "flags"),
    [
        ([(b"traceparent", PARENT)], "0af7651916cd43dd8448eb211c80319c", 1),
        ([(b"traceparent", PARENT), (b"traceparent", PARENT)], None, RANDOM),
        ([(b"traceparent", PARENT.upper())], None, RANDOM),
        ([(b"traceparent", PARENT + b"-x")], None, RANDOM),
        ([(b"traceparent", b"cc" + PARENT[2:] + b"-x")], "0af7651916cd43dd8448eb211c80319c", 1),
        ([(b"traceparent", b"ff" + PARENT[2:])], None, RANDOM),
        ([(b"traceparent", b"\xff" * 55)], None, RANDOM),
        (
            [(b"x-request-id", b"0af7651916cd43dd8448eb211c80319c")],
            "0af7651916cd43dd8448eb211c80319c",
            0,
        ),
    ],
)
def test_the_trace_goes_on_or_starts(
    headers: list[tuple[bytes, bytes]], trace_id: str | None, flags: int
) -> None:
    """
    An inbound traceparent, else the request id where it is 32 hex, else a fresh trace; the span is
    always ours.

    A trace-id that we made says that it is random.
    """
    scope = http_scope(headers)
    step(RequestTracingMiddleware(hello), scope)
    metadata = scope["asgi_trace"]
    parent = "b7ad6b7169203331" if trace_id and trace_id != metadata.request_id else None
    assert metadata.trace == TraceContext(
        trace_id or metadata.request_id, metadata.span_id, flags, parent
    )
    assert (metadata.trace_id, metadata.parent_span_id) == (metadata.trace.trace_id, parent)
    assert re.fullmatch("[0-9a-f]{16}", metadata.span_id)
    assert metadata.span_id != "b7ad6b7169203331"


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("is_read_first", [True, False])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"traceparent", PARENT)],
        [(b"traceparent", PARENT), (b"tracestate", b"a=1")],
        [(b"traceparent", PARENT), (b"traceparent", PARENT)],
        [(b"traceparent", b"00-0-0-0")],
        [(b"traceparent", PARENT), (b"x-request-id", b"r-1")],
        [(b"traceparent", PARENT), (b"x-session-id", b"alice")],
    ],
)
def test_a_line_has_the_ids_that_its_request_has(
    headers: list[tuple[bytes, bytes]], is_read_first: bool, is_trusted: bool
) -> None:
    """Whether or not they were read before, in a trace and outside of one."""
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, "sold", (), None)
    seen: list[dict[str, Any]] = []

    def ids_of(metadata: Any) -> dict[str, Any]:
        return {name: getattr(metadata, name) for name in (*IDS, "parent_span_id")}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = scope["asgi_trace"]
        if is_read_first:
            seen.append(ids_of(metadata))
        RequestTracingFilter().filter(record)
        seen.append(ids_of(metadata))

    step(RequestTracingMiddleware(app, trust_inbound=is_trusted), http_scope(headers))
    written = {name: vars(record).get(name) for name in (*IDS, "parent_span_id")}
    assert seen == [written] * len(seen)


def test_the_trace_can_be_the_session() -> None:
    """A program may name traceparent as a source: it is the trace all the same."""
    scope = http_scope([(b"traceparent", PARENT)])
    step(RequestTracingMiddleware(hello, session_sources=["header:traceparent"]), scope)
    metadata = scope["asgi_trace"]
    assert metadata.session_id == PARENT.decode()
    assert metadata.parent_span_id == "b7ad6b7169203331"


def test_a_short_request_id_gets_a_trace_of_its_own() -> None:
    """Two requests with the same id that is no trace-id are two traces."""
    scopes = [http_scope([(b"x-request-id", b"retry-1")]) for _ in range(2)]
    for scope in scopes:
        step(RequestTracingMiddleware(hello), scope)
    first, second = (scope["asgi_trace"].trace_id for scope in scopes)
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second
    assert first == scopes[0]["asgi_trace"].trace_id


def test_another_header_can_carry_the_id() -> None:
    """header_name= holds for both directions, in any case."""
    app = RequestTracingMiddleware(hello, header_name="X-Amzn-Trace")
    assert response_ids(step(app, http_scope([(b"x-amzn-trace", b"abc")])), b"x-amzn-trace") == [
        b"abc"
    ]


@pytest.mark.parametrize("name", ["", "X Request", "X:", "é", "a\r\nb", None, 7])
def test_a_name_that_is_no_headers_fails_early(name: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name)) + ".*'X-Request-ID'"):
        RequestTracingMiddleware(hello, header_name=name)


@pytest.mark.parametrize("option", ["app", "generator", "validator"])
def test_what_cannot_be_called_fails_early(option: str) -> None:
    options: dict[str, Any] = {"app": hello} | {option: "text"}
    with pytest.raises(TypeError, match=f"{option} is 'text'; expected a callable"):
        RequestTracingMiddleware(options.pop("app"), **options)


def test_a_digest_key_must_be_text_and_is_not_shown() -> None:
    with pytest.raises(TypeError, match="digest_key is of type int") as caught:
        RequestTracingMiddleware(hello, digest_key=123456)  # type: ignore[arg-type]
    assert "123456" not in str(caught.value)


def test_a_generator_of_ones_own_makes_the_ids() -> None:
    assert response_ids(
        step(RequestTracingMiddleware(hello, generator=lambda: "01J9ZK"), http_scope())
    ) == [b"01J9ZK"]


@pytest.mark.parametrize("made", ["bad id", "", "a\r\nb", None, 7, "é", ValueError("no")])
def test_a_generator_that_fails_costs_its_id_alone(
    made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The request gets one of ours, and the log one warning."""

    def generate() -> Any:
        if isinstance(made, Exception):
            raise made
        return made

    app = RequestTracingMiddleware(hello, generator=generate)
    for _ in range(2):
        (answered,) = response_ids(step(app, http_scope()))
        assert re.fullmatch(b"[0-9a-f]{32}", answered)
    assert [record.getMessage() for record in caplog.records] == [
        "the request id generator failed; the request continues; further failures of this kind are not logged"
    ]


@pytest.mark.parametrize(
    ("inbound", "accepts", "asked", "is_used"),
    [
        (b"abc", True, ["abc"], True),
        (b"abc", False, ["abc"], False),
        (b"a b", True, [], False),
    ],
)
def test_a_validator_narrows_and_never_widens(
    inbound: bytes, accepts: bool, asked: list[str], is_used: bool
) -> None:
    """It is not even asked about what the rule rejects."""
    given = []

    def validate(value: str) -> bool:
        given.append(value)
        return accepts

    app = RequestTracingMiddleware(hello, validator=validate)
    (answered,) = response_ids(step(app, http_scope([(b"x-request-id", inbound)])))
    assert given == asked
    assert (answered == inbound) is is_used
    assert is_used or re.fullmatch(b"[0-9a-f]{32}", answered)


def test_a_validator_that_fails_rejects(caplog: pytest.LogCaptureFixture) -> None:
    """The request gets an id of ours, and the log one warning."""

    def validate(value: str) -> bool:
        raise RuntimeError(value)

    app = RequestTracingMiddleware(hello, validator=validate)
    for _ in range(2):
        (answered,) = response_ids(step(app, http_scope([(b"x-request-id", b"abc")])))
        assert re.fullmatch(b"[0-9a-f]{32}", answered)
    assert [record.getMessage() for record in caplog.records] == [
        "the id validator failed; the request continues; further failures of this kind are not logged"
    ]


@pytest.mark.parametrize(
    ("scope", "message", "expected"),
    [
        (http_scope(), HELLO_START, True),
        (http_scope(), {"type": "http.response.start", "status": 200}, True),
        (http_scope(), {"type": "http.response.start", "status": 103, "headers": ()}, True),
        (http_scope(), HELLO_BODY, False),
        (http_scope(), {"type": "http.response.trailers", "headers": [(b"a", b"b")]}, False),
        (http_scope(), {"type": "http.response.pathsend", "path": "/x"}, False),
        (http_scope(), {"type": "http.response.early_hint", "links": []}, False),
        (http_scope(), {"type": "an.extension", "headers": []}, False),
        (http_scope(), {"no type": 1}, False),
        (http_scope(), {"type": ["unhashable"]}, False),
        (websocket_scope(), {"type": "websocket.accept"}, True),
        (
            websocket_scope(),
            {"type": "websocket.accept", "headers": [(b"a", b"b")], "subprotocol": None},
            True,
        ),
        (
            websocket_scope(),
            {"type": "websocket.http.response.start", "status": 403, "headers": []},
            True,
        ),
        (websocket_scope(), {"type": "websocket.send", "text": "x"}, False),
        (websocket_scope(), {"type": "websocket.close", "code": 1000}, False),
    ],
)
def test_the_id_is_on_each_response_and_nothing_else_is_touched(
    scope: dict[str, Any], message: dict[str, Any], expected: bool
) -> None:
    """A start gets the header in a new message, everything else passes as the object that it is."""
    before = copy.deepcopy(message)
    (sent,) = step(RequestTracingMiddleware(responding(message)), dict(scope))
    assert message == before
    assert (sent is not message) == expected
    assert len(response_ids([sent])) == expected
    assert {**sent, "headers": None} == {**before, "headers": None}
    assert sent.get("headers", [])[: len(before.get("headers", ()))] == list(
        before.get("headers", ())
    )


def test_each_of_several_starts_has_the_id() -> None:
    """103 Early Hints as a start of its own is legal traffic."""
    hints = {"type": "http.response.start", "status": 103, "headers": []}
    assert (
        len(
            response_ids(
                step(
                    RequestTracingMiddleware(responding(hints, HELLO_START, HELLO_BODY)),
                    http_scope(),
                )
            )
        )
        == 2
    )


OWN_NAMES = (b"x-request-id", b"X-Request-ID", b"X-REQUEST-ID", "X-Request-ID")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-request-id", b"app")],
        [(b"X-Request-ID", b"app"), (b"X-REQUEST-ID", b"app"), (b"a", b"b")],
        [[b"X-Request-ID", b"app"], (b"a", b"b")],
        ((b"X-Request-ID", b"app"),),
        {b"X-Request-ID": b"app", b"a": b"b"}.items(),
        [(bytearray(b"X-Request-ID"), bytearray(b"app"))],
        [(memoryview(b"X-Request-ID"), memoryview(b"app"))],
        [("X-Request-ID", "app")],
        [("é", "app"), (b"\xff", b"\xfe"), (b"x-request-id", b"app")],
        [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-type", b"text/html")],
        [],
        None,
    ],
)
def test_the_apps_own_id_gives_way_whatever_its_shape(headers: Any) -> None:
    """
    Exactly one, ours; the app's list is as long as before, and its other headers are the objects
    that they were.
    """
    before = list(headers or ())
    message = HELLO_START | {"headers": headers}
    (sent,) = step(
        RequestTracingMiddleware(responding(message)), http_scope([(b"x-request-id", b"ours")])
    )
    assert response_ids([sent]) == [b"ours"]
    assert list(headers or ()) == before
    assert sent["headers"][:-1] == [header for header in before if header[0] not in OWN_NAMES]


def test_headers_from_a_generator_arrive() -> None:
    """It can be read once, and the server is the one to get it."""
    message = HELLO_START | {"headers": ((name, b"1") for name in (b"a", b"X-Request-ID", b"b"))}
    (sent,) = step(RequestTracingMiddleware(responding(message)), http_scope())
    assert [name for name, _ in sent["headers"]] == [b"a", b"b", b"x-request-id"]


def test_a_message_that_is_no_dict_works() -> None:
    (sent,) = step(
        RequestTracingMiddleware(responding(MappingProxyType(HELLO_START))), http_scope()
    )  # type: ignore[arg-type]
    assert len(response_ids([sent])) == 1


@pytest.mark.parametrize("headers", [7, [7], [(1, 2)], [()], [object()]])
def test_nonsense_goes_on_to_the_server(headers: Any) -> None:
    """It is the server's to complain of."""
    (sent,) = step(
        RequestTracingMiddleware(responding(HELLO_START | {"headers": headers})), http_scope()
    )
    assert sent["headers"] == headers or sent["headers"][:-1] == headers


@pytest.mark.parametrize("scope_type", ["lifespan", "asgi.future", "http2.thing"])
def test_other_scopes_pass_by_identity(scope_type: str) -> None:
    """Lifespan and types that nobody knows yet: the app gets the same objects."""
    seen: list[Any] = []

    async def app(*given: Any) -> str:
        seen.extend(given)
        return "returned"

    given = ({"type": scope_type}, object(), object())
    coroutine = RequestTracingMiddleware(app)(*given)  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    assert stopped.value.value == "returned"
    assert [id(each) for each in seen] == [id(each) for each in given]
    assert given[0] == {"type": scope_type}


def test_what_the_app_returns_is_passed_on() -> None:
    """A server complains of an app that returns a value, and must still see it."""

    async def app(scope: Any, receive: Any, send: Any) -> int:
        return 7

    with pytest.raises(StopIteration) as stopped:
        Context().run(RequestTracingMiddleware(app)(http_scope(), None, None).send, None)  # type: ignore[arg-type]
    assert stopped.value.value == 7


def test_receive_is_the_servers_own() -> None:
    """Nothing stands between the app and the body."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(receive)

    receive = object()
    with pytest.raises(StopIteration):
        Context().run(RequestTracingMiddleware(app)(http_scope(), receive, None).send, None)  # type: ignore[arg-type]
    assert seen == [receive]


@pytest.mark.parametrize("crash", [False, True])
def test_a_message_after_the_end_is_ignored(crash: bool) -> None:
    """A task of the app may outlive it: the server has ended the response, and gets no more."""
    kept, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.append(send)
        await hello(scope, receive, send)
        if crash:
            raise KeyError("x")

    async def main() -> None:
        async def send(message: Any) -> None:
            sent.append(message["type"])

        with contextlib.suppress(KeyError):
            await RequestTracingMiddleware(app)(http_scope(), None, send)  # type: ignore[arg-type]
        assert await kept[0](HELLO_BODY) is None

    asyncio.run(main())
    assert sent == ["http.response.start", "http.response.body"]


def test_an_app_that_is_replaced_is_called() -> None:
    """The launcher puts spans around the app of a shim that is in use already."""
    called = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope["path"])
        await hello(scope, receive, send)

    traced = RequestTracingMiddleware(hello, access_log=True)
    step(traced, http_scope())
    traced.app = other
    step(traced, http_scope())
    assert called == [http_scope()["path"]]


def test_wrapping_twice_is_wrapping_once() -> None:
    """One id, one header, one object; the outer shim's."""
    scope = http_scope()
    inner = RequestTracingMiddleware(hello, generator=lambda: "inner")
    outer = RequestTracingMiddleware(inner, generator=lambda: "outer")
    assert response_ids(step(outer, scope)) == [b"outer"]


def test_the_scope_and_the_variable_hold_the_one_object() -> None:
    """Written in place: an outer tool finds it in the scope that it passed in."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, scope["asgi_trace"], get_request_metadata()])

    scope = http_scope(path="/api/payment", method="POST")
    step(RequestTracingMiddleware(app), scope)
    assert seen[0] is scope
    assert seen[1] is seen[2] is scope["asgi_trace"]
    metadata = seen[1]
    assert isinstance(metadata, RequestMetadata)
    assert (metadata.method, metadata.path, metadata.transport_type) == (
        "POST",
        "/api/payment",
        "http",
    )
    assert metadata.ended


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (http_scope(), "http"),
        (http_scope([(b"accept", b"text/html, */*")]), "http"),
        (http_scope([(b"accept", b"text/event-stream")]), "sse"),
        (
            http_scope(
                [(b"accept", b"application/json"), (b"accept", b"Text/Event-Stream")], method="POST"
            ),
            "streamable-http",
        ),
        (
            http_scope([(b"accept", b"text/event-stream"), (b"mcp-session-id", b"abc")]),
            "streamable-http",
        ),
        (
            http_scope([(b"mcp-protocol-version", b"2025-06-18")], method="DELETE"),
            "streamable-http",
        ),
        (websocket_scope(), "websocket"),
        (websocket_scope([(b"accept", b"text/event-stream")]), "websocket"),
    ],
)
def test_transports_are_told_apart(scope: dict[str, Any], expected: str) -> None:
    scope = dict(scope)
    step(RequestTracingMiddleware(responding()), scope)
    assert scope["asgi_trace"].transport_type == expected


@pytest.mark.parametrize(
    "missing", [("query_string",), ("path", "method"), ("headers",), ("headers", "state", "client")]
)
def test_a_scope_may_lack_what_only_we_would_miss(missing: tuple[str, ...]) -> None:
    scope = {key: value for key, value in http_scope().items() if key not in missing}
    assert len(response_ids(step(RequestTracingMiddleware(hello), scope))) == 1
    assert scope["asgi_trace"].session_id


@pytest.mark.parametrize("bad", [{"headers": [7]}, {"headers": 7}])
def test_a_scope_that_cannot_be_read_costs_the_trace(
    bad: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The app runs all the same, untraced, and the log has one warning."""
    scope = http_scope() | bad
    assert step(RequestTracingMiddleware(hello), scope) == [HELLO_START, HELLO_BODY]
    assert "asgi_trace" not in scope
    with pytest.raises(KeyError) as caught:
        step(RequestTracingMiddleware(responding(then=KeyError("x"))), http_scope() | bad)
    assert caught.value.__context__ is None  # no fault of ours in the traceback of the app's
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    "bad", [{"query_string": "text"}, {"headers": [(b"a", b"b", b"c"), (b"traceparent", 7)]}]
)
def test_reading_ids_never_raises(bad: dict[str, Any]) -> None:
    """What nobody foresaw in a scope costs that id, not the request."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        seen.extend(
            [get_request_id(), get_session_id(), metadata.trace_id, metadata.transport_type]
        )

    step(RequestTracingMiddleware(app), http_scope() | bad)
    assert all(seen)


def test_lazy_ids_do_not_see_what_the_app_changes() -> None:
    """The request came in with the headers that it came in with."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["headers"].append((b"x-session-id", b"planted"))
        scope["headers"][0] = (b"mcp-session-id", b"planted")
        scope["query_string"] = b"session_id=planted"
        scope["path"] = scope["method"] = "planted"
        metadata = scope["asgi_trace"]
        seen.extend([metadata.session_id, metadata.path, metadata.method])

    step(RequestTracingMiddleware(app), http_scope([(b"x-correlation-id", b"real")]))
    assert seen == ["real", "/", "GET"]


MCP_RESPONSE = HELLO_START | {
    "headers": [(b"content-type", b"text/event-stream"), (b"mcp-session-id", b"from-server")]
}


@pytest.mark.parametrize(
    ("headers", "query", "response", "expected"),
    [
        ([], b"", MCP_RESPONSE, "from-server"),
        ([(b"authorization", b"Bearer abc")], b"session_id=q", MCP_RESPONSE, "from-server"),
        ([(b"x-session-id", b"mine")], b"", MCP_RESPONSE, "mine"),
        ([(b"x-correlation-id", b"mine")], b"", MCP_RESPONSE, "mine"),
        ([(b"mcp-session-id", b"mine")], b"", MCP_RESPONSE, "mine"),
        ([], b"session_id=q", HELLO_START, "q"),
        ([], b"session_id=q", HELLO_START | {"headers": [(b"mcp-session-id", b"bad id")]}, "q"),
        ([], b"session_id=q", HELLO_START | {"headers": [(b"Mcp-Session-Id", 7)]}, "q"),
        (
            [],
            b"session_id=q",
            HELLO_START | {"headers": [["Mcp-Session-Id", "from-server"]]},
            "from-server",
        ),
    ],
)
@pytest.mark.parametrize("read_before", [True, False])
def test_a_session_that_the_response_opens_is_adopted(
    headers: Any, query: bytes, response: Any, expected: str, read_before: bool
) -> None:
    """MCP's initialize: learnt at the response's start, unless something outranks it."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if read_before:
            get_session_id()
        await send(response)
        seen.append(get_session_id())

    step(RequestTracingMiddleware(app), http_scope(headers, query_string=query))
    assert seen == [expected]


@pytest.mark.parametrize("user", ["user-7", 7])
def test_a_session_that_was_set_by_hand_stays(user: Any) -> None:
    """
    The app knows best: what it assigns is outranked by nothing, in every task and thread of the
    request.
    """
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        metadata.session_id = user
        await send(MCP_RESPONSE)
        seen.append(get_session_id())

    step(RequestTracingMiddleware(app), http_scope([(b"x-session-id", b"mine")]))
    assert seen == [str(user)]


class Panic(BaseException):
    """As pyo3 raises for a panic in Rust: no Exception, and a failure of the app."""


def trio_cancelled() -> BaseException:
    """Return what trio raises in a cancelled task, which nobody else can make."""

    async def cancelled() -> BaseException:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as exc:
                kept = exc
                raise
        return kept

    return trio.run(cancelled)


class Group(BaseException):
    """As a task group raises; before Python 3.11 there is no class for it."""

    def __init__(self, *exceptions: BaseException) -> None:
        self.exceptions = exceptions


# A server that can send a response to a websocket in place of accepting it.
DENIABLE = websocket_scope(extensions={"websocket.http.response": {}})


@pytest.mark.parametrize(
    ("app", "scope", "options", "answered"),
    [
        (responding(then=KeyError("x")), http_scope(), {}, True),
        (responding(then=KeyError("x")), http_scope(app=object()), {}, False),
        (responding(then=KeyError("x")), http_scope(), {"error_response": False}, False),
        (responding(then=KeyError("x")), websocket_scope(), {}, False),
        (responding(then=KeyError("x")), websocket_scope(extensions=None), {}, False),
        (responding(then=KeyError("x")), DENIABLE, {}, True),
        (responding(then=KeyError("x")), DENIABLE, {"error_response": False}, False),
        (responding({"type": "websocket.accept"}, then=KeyError("x")), DENIABLE, {}, False),
        (responding({"type": "websocket.close"}, then=KeyError("x")), DENIABLE, {}, False),
        (responding(HELLO_START, then=KeyError("x")), http_scope(), {}, False),
        (responding(HELLO_START, HELLO_BODY, then=KeyError("x")), http_scope(), {}, False),
        (responding(then=asyncio.CancelledError()), http_scope(), {}, False),
        (responding(then=trio_cancelled()), http_scope(), {}, False),
        (responding(then=SystemExit(1)), http_scope(), {}, False),
        (responding(then=Panic()), http_scope(), {}, True),
        (responding(then=Group(asyncio.CancelledError(), Panic())), http_scope(), {}, True),
        (responding(then=Group(asyncio.CancelledError())), http_scope(), {}, False),
    ],
)
def test_a_bare_crash_is_answered_and_raised(
    app: Any, scope: dict[str, Any], options: Any, answered: bool
) -> None:
    """
    A 500 with the id where nobody else will answer; the exception goes on to the server, with the
    ids on it.
    """
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = dict(scope)
    coroutine = RequestTracingMiddleware(app, **options)(scope, None, send)  # type: ignore[arg-type]
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        Context().run(coroutine.send, None)
    metadata = metadata_of(caught.value)
    assert metadata is scope["asgi_trace"]
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    assert [message.get("status") for message in sent].count(500) == answered
    if answered:
        start, body = sent
        assert start["type"] == f"{prefix}.response.start"
        assert response_ids([start]) == [metadata.request_id.encode()]  # type: ignore[union-attr]
        assert body == {"type": f"{prefix}.response.body", "body": b"Internal Server Error"}


def test_a_framework_inside_the_shim_does_not_hide_that_it_is_outermost() -> None:
    """
    Starlette writes scope["app"] when it is entered: behind the shim's key, so the shim may still
    answer.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["app"] = app
        raise KeyError("x")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(KeyError):
        Context().run(RequestTracingMiddleware(app)(http_scope(), None, send).send, None)  # type: ignore[arg-type]
    assert sent[0]["status"] == 500


def test_a_client_that_is_gone_does_not_hide_the_crash() -> None:
    """The server may refuse our 500; the app's own exception is the one that it gets."""

    async def send(message: Any) -> None:
        raise OSError("gone")

    with pytest.raises(KeyError, match="x"):
        Context().run(
            RequestTracingMiddleware(responding(then=KeyError("x")))(http_scope(), None, send).send,
            None,
        )  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [{"headers": [7]}, {}])
def test_a_debug_page_can_show_the_locals_of_a_crash(
    more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """They have a repr, and taking it warns of nothing: where a scope cannot be read, too."""
    with pytest.raises(KeyError) as caught:
        step(RequestTracingMiddleware(responding(then=KeyError("x"))), http_scope() | more)
    caplog.clear()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = [repr(value) for frame in frames for value in frame.f_locals.values()]
    assert any("RequestMetadata" in each for each in shown)
    assert caplog.messages == []


class FrozenError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("frozen")


def test_an_exception_that_allows_no_attribute_is_marked() -> None:
    """And is pickled and copied as before; its mark goes with it."""
    scope = http_scope()
    with pytest.raises(FrozenError) as caught:
        step(
            RequestTracingMiddleware(responding(then=FrozenError("x")), error_response=False), scope
        )
    assert metadata_of(caught.value) is scope["asgi_trace"]
    for twin in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert (type(twin), twin.args, metadata_of(twin)) == (FrozenError, ("x",), None)
    key = id(caught.value)
    assert key in exceptions._marks
    del caught
    gc.collect()
    assert key not in exceptions._marks


def test_an_app_called_from_a_request_leaves_its_exception_to_it() -> None:
    """In-process calls: who logs the inner app's exception does so for the outer request."""
    seen = []
    inner = RequestTracingMiddleware(responding(then=KeyError("x")))

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        try:
            await call(inner, http_scope([(b"x-request-id", b"inner")]))
        except KeyError as exc:
            seen.append(metadata_of(exc))
        seen.append(get_request_id())

    step(RequestTracingMiddleware(outer), http_scope([(b"x-request-id", b"outer")]))
    assert seen == [None, "outer"]


@pytest.mark.parametrize(("keep", "expected"), [(False, "outside"), (True, "inside")])
def test_the_variable_is_reset_unless_it_shall_be_kept(keep: bool, expected: str) -> None:
    """Reset for an in-process caller; kept for servers that log when the app is done."""
    app = RequestTracingMiddleware(hello, keep_context=keep)

    def run() -> str | None:
        with bound_request_metadata(RequestMetadata(request_id="outside")):
            coroutine = call(app, http_scope([(b"x-request-id", b"inside")]))
            with pytest.raises(StopIteration):
                coroutine.send(None)
            return get_request_id()

    assert Context().run(run) == expected


def test_a_leaked_context_is_never_reused() -> None:
    """Pipelined requests start with their predecessor's variables: each still gets its own."""
    app = RequestTracingMiddleware(hello, keep_context=True)

    def run() -> list[bytes]:
        found = []
        for _ in range(3):
            coroutine = call(app, http_scope())
            with pytest.raises(StopIteration) as stopped:
                coroutine.send(None)
            found += response_ids(stopped.value.value)
        return found

    assert len(set(Context().run(run))) == 3


def test_it_is_recognised_as_asgi_3() -> None:
    """Servers look for a coroutine function of exactly these three."""
    bound = RequestTracingMiddleware(hello).__call__
    assert inspect.iscoroutinefunction(bound)
    assert list(inspect.signature(bound).parameters) == ["scope", "receive", "send"]


def test_the_warning_tells_what_failed(caplog: pytest.LogCaptureFixture) -> None:
    """With the traceback of the user's own callback, on the logger asgi_trace."""

    def generate() -> str:
        raise RuntimeError("the generator's own words")

    step(RequestTracingMiddleware(hello, generator=generate), http_scope())
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("asgi_trace", logging.WARNING)
    assert "the generator's own words" in caplog.text


# -- names in any case -----------------------------------------------------------------------------

TRACE = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
TYPED: dict[str, list[Any]] = {
    "as typed": [
        (b"Host", b"x"),
        (b"X-Request-ID", b"r1"),
        (b"X-Session-ID", b"s1"),
        (b"Traceparent", TRACE),
    ],
    "only ours": [(b"X-Request-ID", b"r1"), (b"X-SESSION-ID", b"s1"), (b"TRACEPARENT", TRACE)],
    "the last in lower case": [
        (b"X-Request-ID", b"r1"),
        (b"X-Session-ID", b"s1"),
        (b"Traceparent", TRACE),
        (b"te", b"x"),
    ],
    "text": [("X-Request-ID", "r1"), ("x-session-id", "s1"), ("traceparent", TRACE.decode())],
    "text in lower case": [
        ("x-request-id", "r1"),
        ("x-session-id", "s1"),
        ("traceparent", TRACE.decode()),
    ],
    "bytearrays": [
        (bytearray(b"x-request-id"), b"r1"),
        (bytearray(b"x-session-id"), bytearray(b"s1")),
        (bytearray(b"traceparent"), TRACE),
    ],
    "views": [
        (memoryview(b"X-Request-ID"), memoryview(b"r1")),
        (memoryview(b"x-session-id"), b"s1"),
        (memoryview(b"traceparent"), TRACE),
    ],
    "lists": [[b"X-Request-ID", b"r1"], [b"X-Session-ID", b"s1"], [b"traceparent", TRACE]],
    "an empty name": [
        (b"", b"x"),
        (b"X-Request-ID", b"r1"),
        (b"X-Session-ID", b"s1"),
        (b"traceparent", TRACE),
    ],
}


@pytest.mark.parametrize("headers", TYPED.values(), ids=TYPED)
def test_header_names_are_found_in_any_case_and_type(headers: list[Any]) -> None:
    """
    Servers hand them over in lower case; ASGI recommends it, and some adapters and test clients do
    not.
    """
    scope = http_scope(headers)
    step(RequestTracingMiddleware(hello), scope)
    request = scope["asgi_trace"]
    assert (request.request_id, request.session_id, request.trace_id) == ("r1", "s1", "a" * 32)
    assert scope["headers"] == headers


# -- headers that are no request ids ---------------------------------------------------------------

CLOUDS = [
    (
        "X-Amzn-Trace-Id",
        "Root=1-67891233-abcdef012345678912345678",
        "67891233abcdef012345678912345678",
    ),
    (
        "X-Amzn-Trace-Id",
        "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-ABCDEF012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
        "67891233abcdef012345678912345678",
    ),
    (
        "X-Amzn-Trace-Id",
        "Root=1-67891233-abcdef012345678912345678 ; Parent=53995c3f42cd8ad8",
        "67891233abcdef012345678912345678",
    ),
    (
        "X-Cloud-Trace-Context",
        "105445aa7843bc8bf206b12000100000/1;o=1",
        "105445aa7843bc8bf206b12000100000",
    ),
    (
        "X-Cloud-Trace-Context",
        "105445aa7843bc8bf206b12000100000;o=1",
        "105445aa7843bc8bf206b12000100000",
    ),
    (
        "X-Cloud-Trace-Context",
        "105445aa7843bc8bf206b12000100000/18446744073709551615",
        "105445aa7843bc8bf206b12000100000",
    ),
    (
        "X-Cloud-Trace-Context",
        "105445aa7843bc8bf206b12000100000",
        "105445aa7843bc8bf206b12000100000",
    ),
]


@pytest.mark.parametrize(("name", "value", "expected"), CLOUDS)
def test_a_clouds_trace_header_gives_its_trace_id(
    name: str, value: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As the request's id and as its trace, and without a warning."""
    scope = http_scope([(name.lower().encode(), value.encode())])
    sent = step(RequestTracingMiddleware(hello, header_name=name), scope)
    assert scope["asgi_trace"].request_id == scope["asgi_trace"].trace_id == expected
    assert response_ids(sent, name.lower().encode()) == [expected.encode()]
    assert caplog.records == []


@pytest.mark.parametrize(
    "value",
    [
        "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        "|7f3c.1.",
        "Root=1-6789-abc;Sampled=1",
        "x" * 200,
        "Root=1-" + "-" * 5000,
        "\x1b[31m",
    ],
)
def test_a_chosen_header_that_holds_no_id_is_named_once(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the value, the rule and the remedy; each of its requests gets an id of ours."""
    name = f"X-Guid-{abs(hash(value))}"
    app = RequestTracingMiddleware(hello, header_name=name)
    for _ in range(3):
        scope = http_scope([(name.lower().encode(), value.encode())])
        step(app, scope)
        assert len(scope["asgi_trace"].request_id) == 32
    (record,) = caplog.records
    text = record.getMessage()
    assert name.lower() in text
    assert repr(value[:60])[:-1] in text
    assert "expected 1 to 128 characters" in text
    assert "Set header_name to a header that has an id" in text


def test_a_clients_bad_request_id_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Any client may send one in the usual header."""
    step(RequestTracingMiddleware(hello), http_scope([(b"x-request-id", b"{guid}")]))
    assert caplog.records == []


@pytest.mark.parametrize("value", [b"none", b"None", b"NONE", b" none\t"])
def test_a_client_cannot_call_itself_none(value: bytes) -> None:
    """Its lines would look like those outside of any request."""
    scope = http_scope([(b"x-request-id", value), (b"x-session-id", value)])
    step(RequestTracingMiddleware(hello), scope)
    request = scope["asgi_trace"]
    assert (len(request.request_id), len(request.session_id)) == (32, 32)
