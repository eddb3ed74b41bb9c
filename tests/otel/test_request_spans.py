"""
RequestSpans with the SDK in this process: what it makes of scopes and messages, and what it leaves
alone.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest
from asgiref.compatibility import is_double_callable
from opentelemetry import trace
from opentelemetry.context import attach
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import SpanKind, StatusCode
from uvicorn.config import Config

from asgi_trace import RequestTracingMiddleware, get_request_metadata, inject
from asgi_trace._otel.attributes import request_attributes
from asgi_trace._otel.routes import route_of
from asgi_trace.otel import RequestSpans

from ..asgi import HELLO_BODY, HELLO_START, hello, http_scope, response_ids, step, websocket_scope

REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"
HEADERS = [(b"x-request-id", REQUEST_ID.encode()), (b"x-session-id", b"abc12345")]
PARENT = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


class Exported:
    """A provider that keeps its spans here."""

    def __init__(self, **options: Any) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def traced(self, app: Any, **options: Any) -> RequestTracingMiddleware:
        return RequestTracingMiddleware(RequestSpans(app, tracer_provider=self.provider), **options)


@pytest.fixture
def exported() -> Exported:
    return Exported()


def ids(span: Any) -> tuple[str, str]:
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


async def telling(scope: Any, receive: Any, send: Any) -> None:
    """Leave in the scope what a line would show, and what a call would carry."""
    request = get_request_metadata()
    assert request is not None
    scope["line"] = (request.trace_id, request.span_id)
    scope["call"] = inject({})["traceparent"]
    await hello(scope, receive, send)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (
            http_scope(
                [(b"host", b"shop.example:8443"), (b"user-agent", b"curl/8")],
                scheme="https",
                path="/a b",
            ),
            {
                "http.request.method": "GET",
                "url.scheme": "https",
                "url.path": "/a b",
                "server.address": "shop.example",
                "server.port": 8443,
                "client.address": "127.0.0.1",
                "network.protocol.version": "1.1",
                "user_agent.original": "curl/8",
            },
        ),
        (http_scope([(b"host", b"shop.example")], scheme="https"), {"server.port": 443}),
        (http_scope([(b"host", b"[::1]:80")]), {"server.address": "::1", "server.port": 80}),
        # Not a host: what the server knows.
        (http_scope([(b"host", b"\xff\n")]), {"server.address": "127.0.0.1", "server.port": 8000}),
        (http_scope([(b"host", b"a"), (b"host", b"b")]), {"server.address": "127.0.0.1"}),
        (
            http_scope(server=("/run/shop.sock", None)),
            {"server.address": "/run/shop.sock", "server.port": None},
        ),
        (http_scope(server=None, client=None), {"server.address": None, "client.address": None}),
        (
            http_scope(method="BREW"),
            {"http.request.method": "_OTHER", "http.request.method_original": "BREW"},
        ),
        (http_scope(query_string=b"code=1234&page=2\xff"), {"url.query": "code=***&page=2\xff"}),
        (http_scope(path="/\udcff"), {"url.path": r"/\udcff"}),
        (http_scope(path="/reset/abc123"), {"url.path": "/reset/***"}),
        (http_scope(path=b"/x", client=(7, 1)), {"url.path": None, "client.address": None}),
        (http_scope([(b"user-agent", b"\xff\\x")]), {"user_agent.original": "\xff\\x"}),
        (
            websocket_scope(),
            {"http.request.method": "GET", "url.scheme": "ws", "server.port": 8000},
        ),
        ({"type": "http"}, {"http.request.method": "GET", "url.path": None}),
    ],
)
def test_what_a_span_has_from_its_start(scope: dict[str, Any], expected: dict[str, Any]) -> None:
    """By the conventions for HTTP; what is not known, or not as it should be, is not there."""
    attributes = request_attributes(scope)
    assert {name: attributes.get(name) for name in expected} == expected
    assert None not in attributes.values()
    "".join(map(str, attributes.values())).encode()


def frameworks() -> Iterator[tuple[Any, str, str | None]]:
    from fastapi import APIRouter, FastAPI
    from litestar import Litestar
    from litestar import get as litestar_get
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    quiet = {"telemetry": {"tracing": False}}

    async def page(request: Any) -> Any:
        return PlainTextResponse("")

    def number(x: int) -> int:
        return x

    inner, outer, router = FastAPI(**quiet), FastAPI(**quiet), APIRouter(prefix="/v2")  # type: ignore[arg-type]
    inner.get("/things/{x}")(number)
    router.get("/b/{x}")(number)
    outer.include_router(router)
    outer.mount("/sub", inner)
    yield outer, "/v2/b/3", "/v2/b/{x}"
    yield outer, "/sub/things/3", "/sub/things/{x}"
    yield outer, "/nowhere", None

    starlette = Starlette(
        routes=[Mount("/of/{who}", routes=[Route("/p/{x}", page)]), Route("/q/{x}", page)]
    )
    yield starlette, "/q/3", "/q/{x}"
    yield starlette, "/of/alice/p/3", "/of/{who}/p/{x}"

    @litestar_get("/c/{x:int}", sync_to_thread=False)
    def nothing() -> None: ...

    yield Litestar([nothing], logging_config=None), "/c/3", "/c/{x}"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_route_names_the_span(exported: Exported) -> None:
    """
    As the framework has put it into the scope, under the paths that apps are mounted at; and no
    path ever does.
    """
    expected, found = [], []
    for app, path, route in frameworks():
        scope = http_scope(path=path, raw_path=path.encode())
        sent = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        await exported.traced(app)(scope, receive, send)
        span = exported.spans[-1]
        expected.append((f"GET {route}" if route else "GET", route))
        found.append((span.name, (span.attributes or {}).get("http.route")))
    assert found == expected


def test_a_route_without_a_path_is_none() -> None:
    """Whatever a framework of its own calls a route."""
    assert route_of({"route": object()}, "/") is None
    assert route_of({"path_template": ""}, "/") is None
    assert route_of({}, None) is None


@pytest.mark.parametrize(
    ("headers", "name", "attributes"),
    [
        (
            {
                "mcp-method": "tools/call",
                "mcp-name": "add",
                "mcp-session-id": "abc",
                "mcp-protocol-version": "2026-07-28",
            },
            "tools/call add",
            {
                "mcp.method.name": "tools/call",
                "mcp.session.id": "abc",
                "mcp.protocol.version": "2026-07-28",
                "gen_ai.tool.name": "add",
                "gen_ai.operation.name": "execute_tool",
            },
        ),
        ({"mcp-method": "tools/list"}, "tools/list", {"mcp.method.name": "tools/list"}),
        (
            {"mcp-session-id": "abc", "mcp-protocol-version": "2026-07-28"},
            "POST",
            {"mcp.session.id": "abc", "mcp.protocol.version": "2026-07-28"},
        ),
        (
            {"mcp-method": "prompts/get", "mcp-name": "hi"},
            "prompts/get hi",
            {"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "hi"},
        ),
        # A URI is not for a name: there are too many.
        (
            {"mcp-method": "resources/read", "mcp-name": "file:///a"},
            "resources/read",
            {"mcp.method.name": "resources/read", "mcp.resource.uri": "file:///a"},
        ),
        (
            {"mcp-method": "tasks/get", "mcp-name": "t-1"},
            "tasks/get",
            {"mcp.method.name": "tasks/get", "mcp.task.id": "t-1"},
        ),
        # Nor is what nobody knows.
        ({"mcp-method": "x" * 9}, "POST", {"mcp.method.name": "x" * 9}),
        ({"mcp-protocol-version": "2026-07-28\n", "mcp-session-id": "abc\n"}, "POST", {}),
    ],
)
def test_an_mcp_call_by_its_conventions(
    exported: Exported, headers: dict[str, str], name: str, attributes: dict[str, Any]
) -> None:
    """Named by what was called, where that is known."""
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    step(exported.traced(hello), http_scope(pairs, method="POST"))
    (span,) = exported.spans
    found = {
        key: value
        for key, value in (span.attributes or {}).items()
        if key.startswith(("mcp.", "gen_ai."))
    }
    assert (span.name, found) == (name, attributes)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"isError":true,"content":[]}}', "tool_error"),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}', "rpc_error"),
        (b'{"jsonrpc":"2.0","id":7,"result":{"content":[]}}', None),
    ],
)
def test_a_tool_that_failed_is_an_error(
    exported: Exported, reply: bytes, error: str | None
) -> None:
    """With status 200, where replies are read."""
    call = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add"}}'

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": call, "more_body": False}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": reply})

    scope = http_scope([(b"content-type", b"application/json")], method="POST")
    with pytest.raises(StopIteration):
        exported.traced(app, observe_body=True)(scope, receive, lambda message: _nothing()).send(
            None
        )
    (span,) = exported.spans
    assert (span.name, (span.attributes or {}).get("error.type")) == ("tools/call add", error)
    assert span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)


def test_an_mcp_calls_id_is_text(exported: Exported) -> None:
    """A number or a text, in JSON-RPC."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = get_request_metadata()
        assert request is not None
        request.mcp_method, request.jsonrpc_id = "ping", 7  # type: ignore[assignment]
        await hello(scope, receive, send)

    step(exported.traced(app), http_scope())
    (span,) = exported.spans
    assert (span.name, span.attributes["jsonrpc.request.id"]) == ("ping", "7")  # type: ignore[index]


def test_it_is_an_asgi_3_app(exported: Exported) -> None:
    """To those who look."""
    app = RequestSpans(hello)
    assert not is_double_callable(app)
    config = Config(app, log_config=None)
    config.load()
    assert config.interface == "asgi3"


def test_without_an_sdk_nothing_happens() -> None:
    """
    The request keeps its ids; its calls have spans of their own; the app is given the shim's own
    send.
    """
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(send)
        await telling(scope, receive, send)

    class Between:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(send)
            await RequestSpans(app)(scope, receive, send)

    scope = http_scope([*HEADERS, PARENT])
    assert response_ids(step(RequestTracingMiddleware(Between()), scope)) == [REQUEST_ID.encode()]
    assert seen[0] is seen[1]
    trace_id, span_id = scope["line"]
    assert trace_id == PARENT[1][3:35].decode()
    assert scope["call"][36:52] not in (span_id, PARENT[1][36:52].decode())


def test_other_scopes_pass_as_they_are(exported: Exported) -> None:
    """Lifespan, and types that nobody knows yet: the same objects, the same return value."""
    given: list[Any] = []

    async def app(*arguments: Any) -> str:
        given.append(arguments)
        return "returned"

    async def receive() -> None: ...
    async def send(message: Any) -> None: ...

    for kind in ("lifespan", "later"):
        scope = {"type": kind}
        coroutine = exported.traced(app)(scope, receive, send)
        with pytest.raises(StopIteration) as stopped:
            coroutine.send(None)
        assert stopped.value.value == "returned"
        assert [
            one is other for one, other in zip(given.pop(), (scope, receive, send), strict=True)
        ] == [True] * 3
    assert exported.spans == ()


def test_what_the_app_returns_and_raises_goes_on(exported: Exported) -> None:
    """A server complains of a value, and logs the exception that it is given."""
    error = LookupError("no such thing")

    async def app(scope: Any, receive: Any, send: Any) -> str:
        await hello(scope, receive, send)
        if scope["path"] == "/crash":
            raise error
        return "returned"

    async def call(path: str) -> Any:
        async def send(message: Any) -> None: ...

        return await exported.traced(app)(http_scope(path=path), send, send)

    with pytest.raises(StopIteration) as stopped:
        call("/").send(None)
    assert stopped.value.value == "returned"
    with pytest.raises(LookupError) as raised:
        call("/crash").send(None)
    assert raised.value is error
    # It had answered already: that stays the status.
    assert exported.spans[1].attributes["http.response.status_code"] == 200  # type: ignore[index]
    assert [event.name for event in exported.spans[1].events] == ["exception"]


def test_outside_of_the_shim_it_is_told_once(
    exported: Exported, caplog: pytest.LogCaptureFixture
) -> None:
    """And the app runs."""
    app = RequestSpans(hello, tracer_provider=exported.provider)
    assert step(app, http_scope()) == step(app, http_scope()) == [HELLO_START, HELLO_BODY]
    assert len(caplog.records) == 1
    assert "RequestTracingMiddleware" in caplog.text


def test_wrapped_twice_there_is_one_span(exported: Exported) -> None:
    """As where the app does it, and the environment asks for it too."""
    step(
        exported.traced(RequestSpans(telling, tracer_provider=exported.provider)),
        http_scope(HEADERS),
    )
    assert len(exported.spans) == 1


def test_a_users_own_secrets_are_masked(exported: Exported) -> None:
    """Without an access log, too."""
    step(
        exported.traced(hello, mask=("promo",)),
        http_scope(path="/reset/abc123", query_string=b"promo=p9q8&a=1"),
    )
    (span,) = exported.spans
    assert span.attributes is not None
    assert span.attributes["url.path"] == "/reset/***"
    assert span.attributes["url.query"] == "promo=***&a=1"


def test_the_users_fields_are_attributes(exported: Exported) -> None:
    """
    Under their names; one of ours gets an underscore, and a value that no attribute can have is its
    text.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = get_request_metadata()
        assert request is not None
        request.fields.update({"tenant": "acme", "size": 3, "items": [1], "url.path": "/mine"})
        await hello(scope, receive, send)

    step(exported.traced(app), http_scope())
    (span,) = exported.spans
    attributes = dict(span.attributes or {})
    assert (attributes["tenant"], attributes["size"], attributes["items"]) == ("acme", 3, "[1]")
    assert (attributes["url.path"], attributes["url.path_"]) == ("/", "/mine")


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_field_of_any_value_costs_the_span_nothing(exported: Exported) -> None:
    """No other attribute, and no batch: an exporter raises for what its format cannot hold."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = get_request_metadata()
        assert request is not None
        request.fields.update({"mute": Mute(), "large": 1 << 70, "half": "\ud800", "a": True})
        await hello(scope, receive, send)

    step(exported.traced(app), http_scope())
    (span,) = exported.spans
    attributes = dict(span.attributes or {})
    assert attributes["large"] == "1180591620717411303424"
    assert attributes["half"] == r"\ud800"
    assert "Mute object" in str(attributes["mute"])
    assert (attributes["a"], attributes["http.response.status_code"]) == (True, 200)


def test_a_call_within_the_process_is_a_child(exported: Exported) -> None:
    """
    A test's client, or an app that asks another: the span that is running is the caller, not the
    request.
    """
    inner = http_scope([(b"x-request-id", b"inner")])
    app = exported.traced(telling)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await app(inner, receive, send)

    with exported.provider.get_tracer("test").start_as_current_span("test") as test:
        coroutine = exported.traced(outer)(http_scope(HEADERS), None, lambda message: _nothing())
        with pytest.raises(StopIteration):
            coroutine.send(None)
    child, parent, _ = exported.spans
    assert ids(child) == inner["line"]
    assert (child.parent, parent.parent) == (parent.context, test.get_span_context())
    assert {span.kind for span in (child, parent)} == {SpanKind.SERVER}


async def _nothing() -> None: ...


def test_an_untrusted_client_is_no_parent(exported: Exported) -> None:
    """Its span is linked, for those who want to know."""
    scope = http_scope([PARENT])
    step(exported.traced(telling, trust_inbound=False), scope)
    (span,) = exported.spans
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}-{link.context.span_id:016x}" for link in span.links] == [
        PARENT[1][3:52].decode()
    ]
    assert ids(span) == scope["line"]
    assert scope["line"][0] != PARENT[1][3:35].decode()


def test_a_state_that_opentelemetry_does_not_know_costs_no_other(
    exported: Exported, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor a warning for each request; calls carry all of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = inject({})["tracestate"]
        await hello(scope, receive, send)

    scope = http_scope([PARENT, (b"tracestate", b"1a=b,rojo=2,a@b@c=3,t61@nr=4")])
    step(exported.traced(app), scope)
    (span,) = exported.spans
    assert dict(span.context.trace_state) == {"rojo": "2", "t61@nr": "4"}
    assert scope["state"] == "1a=b,rojo=2,a@b@c=3,t61@nr=4"
    assert caplog.records == []


@pytest.mark.parametrize(("headers", "flags"), [(HEADERS, "00"), ([], "02")])
def test_what_the_sampler_decides_goes_on(headers: Any, flags: str) -> None:
    """
    The next service is told not to sample, and under which ids; random ones only where they are.
    """
    exported = Exported(sampler=ALWAYS_OFF)
    scope = http_scope(headers)
    step(exported.traced(telling), scope)
    trace_id, span_id = scope["line"]
    assert exported.spans == ()
    assert scope["call"] == f"00-{trace_id}-{span_id}-{flags}"


def test_ids_of_other_spans_are_the_providers(exported: Exported) -> None:
    """A request's are for its own span alone."""
    tracer = exported.provider.get_tracer("test")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with tracer.start_as_current_span("child"), tracer.start_as_current_span("grandchild"):
            tracer.start_span("root", context=trace.set_span_in_context(trace.INVALID_SPAN)).end()
        await hello(scope, receive, send)

    step(exported.traced(app), http_scope(HEADERS))
    tracer.start_span("outside").end()
    found = {span.name: ids(span) for span in exported.spans}
    assert {name for name, (trace_id, _) in found.items() if trace_id == REQUEST_ID} == {
        "child",
        "grandchild",
        "GET",
    }
    assert len({span_id for _, span_id in found.values()}) == 5


class Delegating(trace.TracerProvider):
    """A provider that is not of the SDK, as vendors have them: its tracers take no ids."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return _DelegatingTracer(self._provider.get_tracer(*args, **kwargs))


class _DelegatingTracer(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self.start_span = tracer.start_span  # type: ignore[method-assign]
        self.start_as_current_span = tracer.start_as_current_span  # type: ignore[method-assign]

    start_span = start_as_current_span = None  # type: ignore[assignment]


def test_where_a_provider_takes_no_ids_the_lines_take_its(exported: Exported) -> None:
    """One pair of ids, whoever made it."""
    app = RequestTracingMiddleware(
        RequestSpans(telling, tracer_provider=Delegating(exported.provider))
    )
    scope = http_scope(HEADERS)
    step(app, scope)
    (span,) = exported.spans
    assert ids(span) == scope["line"]


class _Broken(SpanProcessor):
    def __init__(self, at: str) -> None:
        def fail(*args: Any) -> None:
            raise RuntimeError(f"broken {at}")

        setattr(self, at, fail)


class _BrokenSampler(Sampler):
    def should_sample(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken sampler")

    def get_description(self) -> str:
        return "broken"


def broken_start(exported: Exported) -> None:
    exported.provider.add_span_processor(_Broken("on_start"))


def broken_end(exported: Exported) -> None:
    exported.provider.add_span_processor(_Broken("on_end"))


def broken_sampler(exported: Exported) -> None:
    exported.provider.sampler = _BrokenSampler()


def broken_generator(exported: Exported) -> None:
    exported.provider.id_generator = None  # type: ignore[assignment]


@pytest.mark.parametrize("broken", [broken_start, broken_end, broken_sampler, broken_generator])
def test_a_fault_of_the_sdk_costs_the_span(
    exported: Exported, broken: Callable[[Exported], None], caplog: pytest.LogCaptureFixture
) -> None:
    """At most: the app runs, the response has its id, and the next request is a request."""
    broken(exported)
    app = exported.traced(telling)
    for _ in range(2):
        scope = http_scope(HEADERS)
        assert response_ids(step(app, scope)) == [REQUEST_ID.encode()]
        assert scope["line"][0] == REQUEST_ID
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert len([record for record in caplog.records if record.name == "asgi_trace"]) <= 1


def test_an_exception_that_cannot_be_told_is_raised_all_the_same(exported: Exported) -> None:
    """Its span ends, and says that it failed."""

    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise UnspeakableError

    with pytest.raises(UnspeakableError):
        step(exported.traced(app), http_scope())
    (span,) = exported.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 500


def test_what_an_app_forgets_to_leave_is_left_with_its_request(exported: Exported) -> None:
    """A server may run the next request in the same context: it is no child of this one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        attach(
            trace.set_span_in_context(exported.provider.get_tracer("test").start_span("forgotten"))
        )
        await hello(scope, receive, send)

    def one_after_the_other() -> None:
        for _ in range(2):
            coroutine = exported.traced(app)(http_scope(), None, lambda message: _nothing())
            with pytest.raises(StopIteration):
                coroutine.send(None)

    Context().run(one_after_the_other)
    assert [span.parent for span in exported.spans] == [None, None]


def test_a_request_closed_by_the_garbage_collector_ends_quietly(
    exported: Exported, caplog: pytest.LogCaptureFixture
) -> None:
    """In whatever context: OpenTelemetry would log an error with a traceback."""

    class Forever:
        def __await__(self) -> Iterator[None]:
            while True:
                yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Forever()

    coroutine = exported.traced(app)(http_scope(HEADERS), None, None)
    Context().run(coroutine.send, None)
    with caplog.at_level(logging.DEBUG):
        del coroutine
        gc.collect()
    assert [span.name for span in exported.spans] == ["GET"]
    assert caplog.records == []
