"""The metrics of a server's requests: by the conventions for HTTP, and from the request's trace."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import metrics
from opentelemetry.metrics import _internal
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.util._once import Once
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_trace import RequestTracingMiddleware, get_request_metadata
from asgi_trace._otel.export import MetricBatches
from asgi_trace.otel import RequestSpans

from ..servers.harness import Server
from ..serving import reserved_port
from .conftest import Collector
from .test_spans import get
from .test_zero_code import COMMANDS

DURATION, ACTIVE = "http.server.request.duration", "http.server.active_requests"


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    """The reader of a global meter provider."""
    reader = InMemoryMetricReader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_internal, "_METER_PROVIDER", None)
        patch.setattr(_internal, "_METER_PROVIDER_SET_ONCE", Once())
        metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
        yield reader


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    found = [
        metric
        for group in (data.resource_metrics if data else ())
        for scope in group.scope_metrics
        for metric in scope.metrics
    ]
    return {metric.name: list(metric.data.data_points) for metric in found}


seen: list[tuple[str, str]] = []


async def item(request: Any) -> Any:
    metadata = get_request_metadata()
    assert metadata is not None
    seen.append((metadata.trace_id, metadata.span_id))
    if request.path_params["item"] == "crash":
        raise LookupError("no such thing")
    return PlainTextResponse("ok")


def call(*paths: str, **options: Any) -> None:
    app = Starlette(routes=[Route("/items/{item}", item)])
    provider = TracerProvider(shutdown_on_exit=False, **options)
    traced = RequestTracingMiddleware(RequestSpans(app, tracer_provider=provider))

    async def main() -> None:
        transport = httpx.ASGITransport(traced, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as shop:
            for path in paths:
                await shop.get(path)

    seen.clear()
    asyncio.run(main())


def test_requests_are_measured_by_their_route(reader: InMemoryMetricReader) -> None:
    """With the exemplar's trace; no path and no id is among the attributes."""
    call("/items/1", "/items/2", "/items/crash", "/nowhere")
    found = points(reader)
    base = {
        "http.request.method": "GET",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    measured = {
        (point.attributes.get("http.route"), point.attributes["http.response.status_code"]): point
        for point in found[DURATION]
    }
    assert {key: point.count for key, point in measured.items()} == {
        ("/items/{item}", 200): 2,
        ("/items/{item}", 500): 1,
        (None, 404): 1,
    }
    ok = measured["/items/{item}", 200]
    assert dict(ok.attributes) == base | {
        "http.route": "/items/{item}",
        "http.response.status_code": 200,
    }
    assert measured["/items/{item}", 500].attributes["error.type"] == "LookupError"
    assert ok.explicit_bounds[:2] == (0.005, 0.01)
    exemplars = {(f"{each.trace_id:032x}", f"{each.span_id:016x}") for each in ok.exemplars}
    assert exemplars
    assert exemplars <= set(seen[:2])
    (active,) = found[ACTIVE]
    assert (active.value, dict(active.attributes)) == (
        0,
        {"http.request.method": "GET", "url.scheme": "http"},
    )


def test_what_is_not_sampled_is_measured_too(reader: InMemoryMetricReader) -> None:
    """A metric counts all requests."""
    call("/items/1", "/items/2", sampler=ALWAYS_OFF)
    (point,) = points(reader)[DURATION]
    assert (point.count, point.attributes["http.route"]) == (2, "/items/{item}")


class Kept(MetricExporter):
    """Keeps each collection that is exported."""

    def __init__(self) -> None:
        super().__init__()
        self.collections: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> MetricExportResult:
        self.collections.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, *args: Any, **kwargs: Any) -> bool:
        return True

    def shutdown(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


def test_a_collection_is_exported_once() -> None:
    """An export is not the cause of the next one: the interval and a flush are."""
    exporter = Kept()
    batches = MetricBatches(exporter)
    meters = MeterProvider([batches], shutdown_on_exit=False)
    meters.get_meter("shop").create_counter("orders").add(1)
    batches.collect()
    assert batches.force_flush()
    assert len(exporter.collections) == 2
    meters.shutdown()


@pytest.mark.servers
def test_prometheus_scrapes_them(environment: pytest.MonkeyPatch) -> None:
    """``OTEL_METRICS_EXPORTER=prometheus``: the exporter is a server, which nothing is pushed to."""
    environment.setenv("ASGI_TRACE_OTEL", "1")
    with reserved_port() as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
        patch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
        server = Server(["-m", "asgi_trace", "run", *shlex.split(COMMANDS["uvicorn"])])
        try:
            get(server, "/work/m7654321")
            scraped = httpx.get(f"http://localhost:{port}/metrics").text
        finally:
            server.stop()
    assert re.search(r"^http_server_request_duration_seconds_count\{.* 2\.0$", scraped, re.M)


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn", "granian", "gunicorn"])
def test_a_switch_sets_them_up(
    name: str, environment: pytest.MonkeyPatch, collector: Collector
) -> None:
    """The last collection is exported when the server ends."""
    service = f"measured {name}"
    environment.setenv("ASGI_TRACE_OTEL", "1")
    environment.setenv("OTEL_SERVICE_NAME", service)
    server = Server(["-m", "asgi_trace", "run", *shlex.split(COMMANDS[name])])
    try:
        get(server, "/work/m7654321")
    finally:
        server.stop()
    found = collector.metrics(1, service=service, name=DURATION)
    duration = found[-1]  # each collection has all that those before it have ...
    assert duration["attributes"]["http.response.status_code"] == 200
    assert duration["value"] == 2  # the harness makes one, too
    # ... but for exemplars.
    exemplars = [exemplar for each in found for exemplar in each["exemplars"]]
    assert collector.spans(1, trace_id=exemplars[0][0], kind="SERVER")
