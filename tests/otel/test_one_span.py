"""
One SERVER span per request, its ids on the lines, and no id twice: in every order of set-up and
beside every other tracer.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_trace import RequestTracingMiddleware, generate_request_id, get_request_metadata, inject
from asgi_trace.otel import RequestSpans

from ..servers.harness import PATIENCE, ROOT, Server
from .conftest import Collector
from .test_spans import get, lines_of

CALLER = "00f067aa0ba902b7"


@contextmanager
def no_global_provider() -> Iterator[None]:
    """Let the global tracer provider be set in this block; it is as before afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", None)
        patch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
        yield


class Service:
    """A service that is set up step by step; each method but the last is one step."""

    def __init__(self, neighbour: str) -> None:
        self.neighbour = neighbour
        self.exporter = InMemorySpanExporter()
        self.tracers: list[trace.Tracer] = []
        self.lines: list[tuple[str, str, str]] = []
        self.calls: list[str] = []
        self.app: Any = None
        if neighbour.startswith("starlette"):
            self.inner: Any = Starlette(routes=[Route("/items/{item}", self._starlette_item)])
        else:
            own = "fastapi" in neighbour
            self.inner = FastAPI(telemetry={"tracing": own})
            self.inner.get("/items/{item}")(self._item)
        if neighbour == "mounted fastapi":
            self.inner = Starlette(routes=[Mount("/", self.inner)])
        self.inside = self.inner

    async def _item(self, item: str) -> str:
        request = get_request_metadata()
        assert request is not None
        for tracer in [*self.tracers, trace.get_tracer("late")]:
            with tracer.start_as_current_span("work"):
                self.lines.append((request.request_id or "", request.trace_id, request.span_id))
                self.calls.append(inject({})["traceparent"])
        return item

    async def _starlette_item(self, request: Any) -> Any:
        return PlainTextResponse(await self._item("7"))

    def tracer(self) -> None:
        tracer = trace.get_tracer("mine")
        with tracer.start_as_current_span("before any request"):
            self.tracers.append(tracer)

    def provider(self) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        trace.set_tracer_provider(provider)

    def wrap(self) -> None:
        inside = self.inside
        if self.neighbour == "wrapped twice":
            inside = RequestSpans(inside)
        elif self.neighbour == "added as a middleware":
            self.inner.add_middleware(RequestSpans)
            self.inner.add_middleware(RequestTracingMiddleware)
            self.app = self.inner
            return
        self.app = RequestTracingMiddleware(RequestSpans(inside))

    def instrument(self) -> None:
        if self.neighbour == "instrumented":
            FastAPIInstrumentor.instrument_app(self.inner)
        elif self.neighbour == "starlette instrumented":
            StarletteInstrumentor.instrument_app(self.inner)
        elif self.neighbour in ("middleware", "fastapi and a middleware"):
            self.inner.add_middleware(OpenTelemetryMiddleware)
        elif self.neighbour == "wrapped inside":
            self.inside = OpenTelemetryMiddleware(self.inside)

    def can_serve(self, done: tuple[str, ...]) -> bool:
        """Whether to try a request after the steps that are *done*."""
        # Frameworks add no middleware to an app that has started; OpenTelemetry's own function
        # for FastAPI may be called then.
        return "wrap" in done and ("instrument" in done or self.neighbour == "instrumented")

    def call(self, **headers: str) -> None:
        app = self.app
        if self.neighbour.endswith("outside"):
            app = OpenTelemetryMiddleware(app)

        async def get() -> None:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as shop:
                assert (await shop.get("/items/7", headers=headers)).status_code == 200

        asyncio.run(get())


NEIGHBOURS = (
    "nobody",
    "starlette",
    "fastapi",
    "mounted fastapi",
    "instrumented",
    "starlette instrumented",
    "middleware",
    "fastapi and a middleware",
    "wrapped inside",
    "wrapped twice",
    "added as a middleware",
    "outside",
    "fastapi outside",
)
STEPS = ("tracer", "provider", "wrap", "instrument")


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_every_order_of_set_up(neighbour: str) -> None:
    """Also where requests are served between the steps."""
    for steps in permutations(STEPS):
        for serves_early in (False, True):
            with no_global_provider():
                service = Service(neighbour)
                for step in steps:
                    getattr(service, step)()
                    if serves_early and service.can_serve(steps[: steps.index(step) + 1]):
                        service.call()
                service.exporter.clear()
                service.lines.clear()
                service.calls.clear()
                where = f"{neighbour}, {steps}, {serves_early}"
                requests = [generate_request_id() for _ in range(3)]
                caller = generate_request_id()
                for request_id in requests[:2]:
                    service.call(**{"x-request-id": request_id})
                service.call(
                    **{"x-request-id": requests[2], "traceparent": f"00-{caller}-{CALLER}-01"}
                )
                check(service, where, requests, caller)


def check(service: Service, where: str, requests: list[str], caller: str) -> None:
    spans = {ids(span)[1]: span for span in service.exporter.get_finished_spans()}
    assert len(spans) == len(service.exporter.get_finished_spans()), f"an id twice: {where}"
    servers = [span for span in spans.values() if span.kind is trace.SpanKind.SERVER]
    assert len(servers) == len(requests), f"{[span.name for span in servers]}: {where}"
    for span_id, span in spans.items():
        assert span.parent is None or trace.format_span_id(span.parent.span_id) != span_id, where
    # Each line has the ids of its request's SERVER span ...
    shown = dict.fromkeys(service.lines)
    assert len(shown) == len(requests), where
    assert {line[1:] for line in shown} == {ids(span) for span in servers}, where
    assert [line[1] for line in shown][2] == caller, where
    # ... which the app's own spans are under, and from which it calls.
    for span in spans.values():
        if span.name == "work":
            root = span
            while root.kind is not trace.SpanKind.SERVER:
                assert root.parent is not None, where
                root = spans[trace.format_span_id(root.parent.span_id)]
    assert {call[36:52] for call in service.calls} <= spans.keys(), where


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.context
    assert context is not None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


INSTRUMENTED = """
import logging
from fastapi import FastAPI
from opentelemetry import trace
from asgi_trace import JSONFormatter, RequestTracingMiddleware, configure_logging
from asgi_trace.otel import RequestSpans

api = FastAPI(telemetry={"tracing": False})


@api.get("/work/{marker}")
async def work(marker: str):
    with trace.get_tracer("mine").start_as_current_span("inner"):
        logging.getLogger("shop").info("%s ends", marker)


configure_logging(formatter=JSONFormatter())
app = RequestTracingMiddleware(RequestSpans(api))
"""


@pytest.mark.servers
def test_under_opentelemetrys_own_launcher(
    tmp_path: Path, environment: pytest.MonkeyPatch, collector: Collector
) -> None:
    """It sets up the SDK and instruments FastAPI and httpx before the program is imported."""
    (tmp_path / "instrumented.py").write_text(INSTRUMENTED, encoding="utf-8")
    environment.setenv("OTEL_SERVICE_NAME", "launched by opentelemetry-instrument")
    environment.setenv("OTEL_LOGS_EXPORTER", "none")
    environment.setenv("OTEL_METRICS_EXPORTER", "none")
    environment.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    environment.setenv("OTEL_TRACES_EXPORTER", "otlp")
    launch = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    served = ["uvicorn", "--app-dir", str(tmp_path), "--port", "{port}", "instrumented:app"]
    server = Server(["-c", launch, sys.executable, "-m", *served])
    request_id = generate_request_id()
    try:
        get(server, "/work/m7654321", **{"x-request-id": request_id})
        lines = lines_of(server, request_id)
    finally:
        server.stop()
    ((trace_id, span_id),) = {(line["trace_id"], line["span_id"]) for line in lines}
    (root,) = collector.spans(1, trace_id=trace_id, kind="SERVER")
    assert root["span_id"] == span_id
    spans = collector.spans(2, trace_id=trace_id)
    assert len({span["span_id"] for span in spans}) == len(spans)
    (inner,) = [span for span in spans if span["name"] == "inner"]
    assert inner["parent_span_id"] == span_id


PROGRAM = """
import asyncio, json, logging
import httpx
{before}
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace import TracerProvider
from fastapi import FastAPI
from asgi_trace import RequestTracingMiddleware, configure_logging, get_request_metadata
from asgi_trace.otel import RequestSpans

exporter = InMemorySpanExporter()
processor = SimpleSpanProcessor(exporter)
api = FastAPI(telemetry={{"tracing": False}})
seen = []


@api.get("/items/{{item}}")
async def item(item: str):
    with trace.get_tracer("mine").start_as_current_span("work"):
        request = get_request_metadata()
        seen.append((request.trace_id, request.span_id))
    return item


{set_up}
app = RequestTracingMiddleware(RequestSpans(api))
{after}


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        for _ in range(2):
            assert (await client.get("/items/7")).status_code == 200


asyncio.run(main())
spans = [
    (span.kind.name, "%032x" % span.context.trace_id, "%016x" % span.context.span_id,
     span.parent and "%016x" % span.parent.span_id)
    for span in exporter.get_finished_spans()
]
print(json.dumps({{"seen": seen, "spans": spans}}))
"""
SENTRY = "sentry_sdk.init('http://k@127.0.0.1:9/1', traces_sample_rate=1.0, transport=print"
SDK = "trace.set_tracer_provider(TracerProvider()); trace.get_tracer_provider().add_span_processor(processor)"
LOGFIRE = "logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[processor])"

OTHERS: dict[str, dict[str, str]] = {
    "logfire": {"before": "import logfire", "set_up": LOGFIRE},
    "logfire, after the wrap": {"before": "import logfire", "after": LOGFIRE},
    "logfire, instrumenting": {
        "before": "import logfire",
        "set_up": f"{LOGFIRE}; logfire.instrument_fastapi(api)",
    },
    "sentry": {
        "before": "import sentry_sdk",
        "set_up": f"{SENTRY}); {SDK}",
    },
    "sentry, through OpenTelemetry": {
        "before": "import sentry_sdk",
        "set_up": "from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor;"
        f"{SENTRY}, instrumenter='otel');"
        f"{SDK}; trace.get_tracer_provider().add_span_processor(SentrySpanProcessor())",
    },
    "elastic": {
        "before": "from elasticapm.contrib.starlette import ElasticAPM, make_apm_client",
        "set_up": "apm = make_apm_client({'DISABLE_SEND': True, 'SERVICE_NAME': 'shop'});"
        f"api.add_middleware(ElasticAPM, client=apm); {SDK}",
    },
    "ddtrace, its own spans": {"before": "import ddtrace.auto", "set_up": SDK},
}


@pytest.mark.processes
@pytest.mark.parametrize("name", OTHERS)
def test_beside_another_tracer(name: str) -> None:
    """As its own documentation sets it up."""
    told = run_program(**OTHERS[name])
    servers = [tuple(span[1:3]) for span in told["spans"] if span[0] == "SERVER"]
    assert servers == [tuple(each) for each in told["seen"]], told
    span_ids = [span[2] for span in told["spans"]]
    assert len(set(span_ids)) == len(span_ids), told
    # The parent of a SERVER span is the caller's, such as that of an instrumented client.
    assert {span[3] for span in told["spans"] if span[0] != "SERVER"} <= {*span_ids}, told
    assert not any(span[2] == span[3] for span in told["spans"]), told


@pytest.mark.processes
def test_ddtraces_provider_makes_the_span() -> None:
    """It is none of the SDK's, and has ids of its own: they are on the lines."""
    told = run_program(
        before="import os; os.environ.update(DD_TRACE_OTEL_ENABLED='true', DD_TRACE_ENABLED='true',"
        " DD_PATCH_MODULES='starlette:false,fastapi:false,httpx:false'); import ddtrace.auto;"
        " from ddtrace.trace import tracer, TraceFilter",
        set_up="""
class Keeping(TraceFilter):
    def process_trace(self, spans):
        kept.extend(spans)

kept = []
tracer.configure(trace_processors=[Keeping()])
""",
        after="""
import atexit
atexit.register(lambda: print(json.dumps([
    (span.get_tag("span.kind"), "%032x" % span.trace_id, "%016x" % span.span_id) for span in kept])))
""",
    )
    assert len({tuple(each) for each in told["seen"]}) == 2
    servers = [tuple(span[1:]) for span in told["last"] if span[0] == "server"]
    assert servers == [tuple(each) for each in told["seen"]], told


def run_program(before: str = "", set_up: str = "", after: str = "") -> dict[str, Any]:
    code = PROGRAM.format(before=before, set_up=set_up, after=after)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    first, *more = [line for line in done.stdout.splitlines() if line.startswith(("[", '{"seen'))]
    told: dict[str, Any] = json.loads(first)
    told["last"] = json.loads(more[-1]) if more else None
    assert "starting a span failed" not in done.stderr, done.stderr
    return told
