"""
A CLIENT span for each call through one of our hooks: real clients, in a request of one real server,
call another.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import aiohttp
import httpx
import pytest
import requests
import urllib3
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from asgi_trace import ContextThreadPoolExecutor, OutgoingHooks, RequestTracingMiddleware
from asgi_trace._otel.client_spans import end_lost_spans
from asgi_trace.otel import RequestSpans

from ..serving import reserved_port, served
from ..unit.outgoing.test_outgoing import CLIENTS, HTTPX, every_client
from .test_metrics import points, reader

__all__ = ("reader",)

HOOKS = OutgoingHooks()


class Called:
    """A service: answers as the path says, and redirects to where the query says."""

    def __init__(self) -> None:
        self.parents: list[str] = []
        self.hangs = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.parents.append(headers.get("traceparent", ""))
        status, answer = 200, [(b"content-length", b"0")]
        if scope["path"] == "/hang":
            self.hangs.set()
            while (await receive())["type"] != "http.disconnect":
                pass
        if scope["path"] == "/busy":
            status = 503
        if scope["path"] == "/once" and len(self.parents) == 1:
            status = 503
            answer.append((b"retry-after", b"0"))
        if scope["query_string"].startswith(b"to="):
            status = 307
            answer.append((b"location", unquote(scope["query_string"][3:].decode()).encode()))
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body"})


class World:
    """Two services whose spans go to one exporter; a request to the first runs a function."""

    def __init__(self, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self.provider = provider
        self.exporter = exporter
        self.called = Called()
        self.job: Callable[[], Any] = lambda: None
        self.url = ""
        self.front = ""

    async def caller(self, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self.job)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def run(self, job: Callable[[], Any]) -> list[ReadableSpan]:
        """Run *job* in a request, and return its CLIENT spans in the order of their start."""
        self.job = job
        httpx.get(self.front, trust_env=False, timeout=60)
        return self.spans(SpanKind.CLIENT)

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        found = [span for span in self.exporter.get_finished_spans() if span.kind is kind]
        return sorted(found, key=lambda span: span.start_time or 0)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    exporter = InMemorySpanExporter()
    options = getattr(request, "param", {})
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    world = World(provider, exporter)

    def traced(app: Any) -> Any:
        return RequestTracingMiddleware(RequestSpans(app, tracer_provider=provider))

    with served(traced(world.called)) as called, served(traced(world.caller)) as front:
        world.url, world.front = f"http://127.0.0.1:{called}", f"http://127.0.0.1:{front}/"
        yield world


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def ids(span: ReadableSpan | None) -> tuple[int, int]:
    context = span.context if span else None
    assert context is not None
    return context.trace_id, context.span_id


def parent_of(span: ReadableSpan) -> tuple[int, int]:
    assert span.parent is not None
    return span.parent.trace_id, span.parent.span_id


@every_client
def test_the_called_service_is_under_the_call(world: World, client: str) -> None:
    """SERVER, CLIENT, SERVER; secrets of the URL are not in the span."""
    url = f"{world.url}/stock?token=hunter2&item=7"
    (call,) = world.run(lambda: CLIENTS[client](HOOKS, url, {}))
    servers = {span.attributes["url.path"]: span for span in world.spans(SpanKind.SERVER)}  # type: ignore[index]
    assert parent_of(call) == ids(servers["/"])
    assert parent_of(servers["/stock"]) == ids(call)
    assert call.name == "GET"
    assert call.status.status_code is StatusCode.UNSET
    assert dict(call.attributes or {}) == {
        "http.request.method": "GET",
        "url.full": f"{world.url}/stock?token=***&item=7",
        "server.address": "127.0.0.1",
        "server.port": port_of(world.url),
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }


@every_client
def test_a_redirect_is_a_span_of_its_own(world: World, client: str) -> None:
    """Each has the traceparent of its call, and all are under the request."""
    last = f"{world.url}/last"
    middle = f"{world.url}/middle?to={last}"
    first = f"{world.url}/first?to=" + middle.replace("?", "%3F").replace("=", "%3D")
    calls = world.run(lambda: CLIENTS[client](HOOKS, first, {}))
    found = [dict(call.attributes or {}) for call in calls]
    assert [each["http.response.status_code"] for each in found] == [307, 307, 200]
    assert [each.get("http.request.resend_count") for each in found] == [None, 1, 2]
    assert [str(each["url.full"]).partition("?")[0] for each in found] == [
        f"{world.url}/{name}" for name in ("first", "middle", "last")
    ]
    assert [int(parent.split("-")[2], 16) for parent in world.called.parents] == [
        ids(call)[1] for call in calls
    ]
    (front,) = [s for s in world.spans(SpanKind.SERVER) if (s.attributes or {})["url.path"] == "/"]
    assert {parent_of(call) for call in calls} == {ids(front)}


@every_client
def test_an_error_status_is_an_error(world: World, client: str) -> None:
    (call,) = world.run(lambda: CLIENTS[client](HOOKS, f"{world.url}/busy", {}))
    attributes = call.attributes or {}
    assert (attributes["http.response.status_code"], attributes["error.type"]) == (503, "503")
    assert call.status.status_code is StatusCode.ERROR


FAILURES = {
    "httpx": "httpcore.ConnectError",
    "async httpx": "httpcore.ConnectError",
    "httpx2": "httpcore2.ConnectError",
    "async httpx2": "httpcore2.ConnectError",
    "aiohttp": "aiohttp.client_exceptions.ClientConnectorError",
    "requests": "requests.exceptions.ConnectionError",
    "urllib3": "urllib3.exceptions.MaxRetryError",
    "urllib.request": "urllib.error.URLError",
}


@every_client
def test_a_call_that_fails_ends_with_its_error(world: World, client: str) -> None:
    """Once; no message of an exception is there, since it may have the URL."""
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}/?token=hunter2"
        world.run(lambda: CLIENTS[client](HOOKS, url, {}))
        end_lost_spans(at_exit=True)
    (call,) = world.spans(SpanKind.CLIENT)
    assert (call.attributes or {})["error.type"] == FAILURES[client]
    assert call.status.status_code is StatusCode.ERROR
    assert "hunter2" not in call.to_json()
    assert "http.response.status_code" not in (call.attributes or {})


@pytest.mark.parametrize("client", ["async httpx", "aiohttp"])
def test_a_cancelled_call_ends(world: World, client: str) -> None:
    """Also a call whose response never begins."""

    async def call() -> None:
        url = f"{world.url}/hang"
        if client == "aiohttp":
            async with aiohttp.ClientSession(trace_configs=[HOOKS.aiohttp_trace_config()]) as one:
                await one.get(url)
        else:
            events = {"request": [HOOKS.httpx_async_request_hook]}
            async with httpx.AsyncClient(event_hooks=events, **HTTPX) as other:
                await other.get(url)

    async def main() -> None:
        task = asyncio.create_task(call())
        await asyncio.to_thread(world.called.hangs.wait, 60)
        task.cancel()
        await asyncio.wait([task])

    (span,) = world.run(lambda: asyncio.run(main()))
    assert (span.attributes or {})["error.type"] == "asyncio.exceptions.CancelledError"


def test_a_response_that_is_never_read_has_ended(world: World) -> None:
    """The span ends when the response begins."""
    kept: list[Any] = []

    def job() -> None:
        client = httpx.Client(event_hooks={"request": [HOOKS.httpx_request_hook]}, **HTTPX)
        kept.append(client.send(client.build_request("GET", world.url), stream=True))
        session = requests.Session()
        session.mount("http://", HOOKS.requests_adapter())
        kept.append(session.get(world.url, stream=True, timeout=60))
        kept.append(HOOKS.urllib3_pool_manager().request("GET", world.url, preload_content=False))

    assert len(world.run(job)) == 3
    for response in kept:
        response.close()


def test_retries_are_counted(world: World) -> None:
    """Within one span, as the client makes them within one call."""
    retry = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)

    def by_urllib3() -> None:
        HOOKS.urllib3_pool_manager(retries=retry).request("GET", f"{world.url}/once")

    def by_requests() -> None:
        session = requests.Session()
        session.mount("http://", HOOKS.requests_adapter(max_retries=retry))
        session.get(f"{world.url}/once", timeout=60)

    for job in (by_urllib3, by_requests):
        world.exporter.clear()
        world.called.parents.clear()
        (call,) = world.run(job)
        attributes = call.attributes or {}
        assert len(world.called.parents) == 2
        assert attributes["http.response.status_code"] == 200
        assert attributes["http.request.resend_count"] == 1


def test_retries_of_httpx_are_counted(world: World) -> None:
    """Each failed connection is no end."""

    def job() -> None:
        events = {"request": [HOOKS.httpx_request_hook]}
        transport = httpx.HTTPTransport(retries=1)
        with (
            reserved_port() as port,
            httpx.Client(event_hooks=events, transport=transport) as client,
        ):
            client.get(f"http://127.0.0.1:{port}")

    world.run(job)
    end_lost_spans(at_exit=True)
    (call,) = world.spans(SpanKind.CLIENT)
    attributes = call.attributes or {}
    assert attributes["error.type"] == "httpcore.ConnectError"
    assert attributes["http.request.resend_count"] == 1


def test_a_users_own_trace_extension_is_called(world: World) -> None:
    """In either interface of httpx, and once for each event also after a redirect."""
    seen: list[str] = []

    async def note(name: str, _info: Any) -> None:
        seen.append(name)

    def job() -> None:
        events = {"request": [HOOKS.httpx_request_hook]}
        own = {"trace": lambda name, _info: seen.append(name)}
        with httpx.Client(event_hooks=events, **HTTPX) as client:
            client.get(f"{world.url}/?to={world.url}/last", extensions=own)

        async def main() -> None:
            async_events = {"request": [HOOKS.httpx_async_request_hook]}
            async with httpx.AsyncClient(event_hooks=async_events, **HTTPX) as client:
                await client.get(world.url, extensions={"trace": note})

        asyncio.run(main())

    assert len(world.run(job)) == 3
    assert seen.count("http11.receive_response_headers.complete") == 3


def test_the_synchronous_hook_inside_an_asynchronous_one(world: World) -> None:
    async def hook(request: httpx.Request) -> None:
        HOOKS.httpx_request_hook(request)

    async def main() -> None:
        async with httpx.AsyncClient(event_hooks={"request": [hook]}, **HTTPX) as client:
            await client.get(world.url)

    (call,) = world.run(lambda: asyncio.run(main()))
    assert (call.attributes or {})["http.response.status_code"] == 200


def test_another_transport_of_httpx_ends_with_its_request(world: World) -> None:
    """It reports nothing: the span has no status."""

    def job() -> None:
        transport = httpx.MockTransport(lambda _request: httpx.Response(200))
        events = {"request": [HOOKS.httpx_request_hook]}
        with httpx.Client(event_hooks=events, transport=transport) as client:
            client.get("http://shop.test/")

    world.run(job)
    gc.collect()
    end_lost_spans()
    (call,) = world.spans(SpanKind.CLIENT)
    assert "http.response.status_code" not in (call.attributes or {})
    assert call.status.status_code is StatusCode.UNSET


@every_client
@pytest.mark.parametrize("how", ["span", "suppressed"])
def test_there_is_no_second_span(world: World, client: str, how: str) -> None:
    """Where another instrumentation has made the span, or has asked for none."""
    theirs: list[int] = []

    def job() -> None:
        tracer = world.provider.get_tracer("theirs")
        if how == "suppressed":
            with suppress_http_instrumentation():
                CLIENTS[client](HOOKS, world.url, {})
            return
        with tracer.start_as_current_span("theirs", kind=SpanKind.CLIENT) as span:
            theirs.append(span.get_span_context().span_id)
            CLIENTS[client](HOOKS, world.url, {})

    calls = world.run(job)
    assert [ids(call)[1] for call in calls] == theirs
    (parent,) = world.called.parents
    assert not theirs or int(parent.split("-")[2], 16) == theirs[0]


@pytest.mark.parametrize("is_async", [False, True])
def test_beside_the_instrumentation_of_httpx(
    world: World, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its span begins inside httpx, after our hook: it is the only one, and on the call's line."""
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

    hooks = OutgoingHooks(log=True)
    caplog.set_level("INFO")

    def job() -> None:
        with httpx.Client(event_hooks={"request": [hooks.httpx_request_hook]}, **HTTPX) as client:
            HTTPXClientInstrumentor.instrument_client(client, tracer_provider=world.provider)
            client.get(world.url)

    async def main() -> None:
        events = {"request": [hooks.httpx_async_request_hook]}
        async with httpx.AsyncClient(event_hooks=events, **HTTPX) as client:
            HTTPXClientInstrumentor.instrument_client(client, tracer_provider=world.provider)
            await client.get(world.url)

    (call,) = world.run((lambda: asyncio.run(main())) if is_async else job)
    assert call.instrumentation_scope is not None
    assert call.instrumentation_scope.name == "opentelemetry.instrumentation.httpx"
    assert int(world.called.parents[0].split("-")[2], 16) == ids(call)[1]
    (record,) = [record for record in caplog.records if record.name == "asgi_trace.calls"]
    assert int(vars(record)["call_span_id"], 16) == ids(call)[1]


@pytest.mark.parametrize("world", [{"sampler": ALWAYS_OFF}], indirect=True)
@every_client
def test_a_call_that_is_not_sampled_says_so(world: World, client: str) -> None:
    assert world.run(lambda: CLIENTS[client](HOOKS, world.url, {})) == []
    (parent,) = world.called.parents
    assert int(parent[-2:], 16) & 1 == 0


@every_client
def test_outside_a_request_a_call_is_under_the_current_span(
    world: World, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: world.provider)
    with world.provider.get_tracer("job").start_as_current_span("job") as job:
        CLIENTS[client](HOOKS, world.url, {})
        assert trace.get_current_span() is job
    (call,) = world.spans(SpanKind.CLIENT)
    assert parent_of(call)[1] == job.get_span_context().span_id
    assert int(world.called.parents[0].split("-")[2], 16) == ids(call)[1]


@every_client
def test_calls_are_measured(world: World, client: str, reader: InMemoryMetricReader) -> None:
    """By host, and with the exemplar's trace; the URL is no attribute."""
    (call,) = world.run(lambda: CLIENTS[client](HOOKS, f"{world.url}/busy", {}))
    (point,) = points(reader)["http.client.request.duration"]
    assert dict(point.attributes) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": port_of(world.url),
        "http.response.status_code": 503,
        "error.type": "503",
        "network.protocol.version": "1.1",
    }
    assert {(each.trace_id, each.span_id) for each in point.exemplars} == {ids(call)}


def test_credentials_in_a_url_are_not_in_the_span(world: World) -> None:
    url = world.url.replace("//", "//alice:hunter2@")
    calls = world.run(
        lambda: [CLIENTS[name](HOOKS, url, {}) for name in ("httpx", "aiohttp", "requests")]
    )
    assert len(calls) == 3
    assert {str((call.attributes or {})["url.full"]).rstrip("/") for call in calls} == {world.url}


def test_a_port_out_of_range_is_left_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The client refuses it; the span needs no warning."""
    (call,) = world.run(lambda: CLIENTS["urllib.request"](HOOKS, "http://127.0.0.1:99999/", {}))
    assert (call.attributes or {})["error.type"] == "urllib.error.URLError"
    assert "server.port" not in (call.attributes or {})
    assert [each for each in caplog.records if each.name.startswith("asgi_trace")] == []


def test_a_response_can_be_pickled(world: World) -> None:
    """With the request that a redirect has led to."""
    pickled: list[bytes] = []

    def job() -> None:
        session = requests.Session()
        session.mount("http://", HOOKS.requests_adapter())
        response = session.get(f"{world.url}/?to={world.url}/last", timeout=60)
        pickled.append(pickle.dumps(response))
        with httpx.Client(event_hooks={"request": [HOOKS.httpx_request_hook]}, **HTTPX) as client:
            pickled.append(pickle.dumps(client.get(world.url)))

    assert len(world.run(job)) == 3
    assert [pickle.loads(each).status_code for each in pickled] == [200, 200]
    assert not any(b"asgi_trace" in each for each in pickled)


def test_clients_in_many_threads_lose_no_span(world: World) -> None:
    """Each call has one, those that fail before they are sent included."""

    def work() -> None:
        with httpx.Client(event_hooks={"request": [HOOKS.httpx_request_hook]}, **HTTPX) as client:
            for _ in range(10):
                client.get(world.url)
                with contextlib.suppress(httpx.ConnectError):
                    client.get("http://127.0.0.1:1/")

    def job() -> None:
        with ContextThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work) for _ in range(4)]:
                done.result(60)

    world.run(job)
    end_lost_spans(at_exit=True)
    calls = world.spans(SpanKind.CLIENT)
    assert len({ids(call) for call in calls}) == len(calls) == 80
    errors = [(call.attributes or {}).get("error.type") for call in calls]
    assert errors.count("httpcore.ConnectError") == errors.count(None) == 40


def test_a_fault_of_ours_costs_no_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    for name in ("_attributes", "_instruments"):
        with monkeypatch.context() as patch:
            patch.setattr(f"asgi_trace._otel.client_spans.{name}", fail)
            for client in CLIENTS.values():
                world.run(lambda client=client: client(HOOKS, world.url, {}))  # type: ignore[misc]
    assert len(world.called.parents) == 2 * len(CLIENTS)
    assert otel_context.get_current() == {}


@every_client
def test_the_line_of_a_call_has_the_span(
    world: World, client: str, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = OutgoingHooks(log=True)
    with caplog.at_level("INFO", "asgi_trace.calls"):
        (call,) = world.run(lambda: CLIENTS[client](hooks, world.url, {}))
    (record,) = [each for each in caplog.records if each.name == "asgi_trace.calls"]
    assert vars(record)["call_span_id"] == trace.format_span_id(ids(call)[1])
    assert world.called.parents[0][36:52] == vars(record)["call_span_id"]
