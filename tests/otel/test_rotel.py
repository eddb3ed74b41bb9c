"""
A real collector, rotel: it receives over HTTP and gRPC, and hands on one trace over two services,
their log records and their metrics.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from asgi_trace import generate_request_id

from .. import needs
from ..servers.harness import PATIENCE, Server
from ..serving import ReservedPort
from .conftest import Collector

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="rotel has no wheel for this platform"
)

SHOP = """
import logging
import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from asgi_trace import httpx_async_request_hook

log = logging.getLogger("shop")


async def work(request):
    marker = request.path_params["marker"]
    stock = request.query_params.get("stock")
    if stock:
        async with httpx.AsyncClient(
            event_hooks={"request": [httpx_async_request_hook]}, trust_env=False, verify=False
        ) as client:
            await client.get(f"{stock}/work/{marker}")
    log.info("%s ends", marker)
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/work/{marker}", work)])
"""


@contextmanager
def rotel(receiver: Collector) -> Iterator[dict[str, str]]:
    """Start rotel, which hands on to *receiver*; yield its addresses by protocol."""
    agent, environment = needs.rotel()
    over_grpc, over_http = ReservedPort(), ReservedPort()
    ports = {"grpc": over_grpc.number, "http/protobuf": over_http.number}
    over_grpc.release()
    over_http.release()
    command = [
        str(agent),
        "start",
        *("--otlp-grpc-endpoint", f"127.0.0.1:{ports['grpc']}"),
        *("--otlp-http-endpoint", f"127.0.0.1:{ports['http/protobuf']}"),
        *("--exporter", "otlp"),
        *("--otlp-exporter-endpoint", receiver.url),
        *("--otlp-exporter-protocol", "http"),
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            transport = httpx.HTTPTransport(retries=10, verify=False)
            with httpx.Client(transport=transport, timeout=PATIENCE) as client:
                for port in ports.values():
                    with_port = httpx.URL(f"http://127.0.0.1:{port}/")
                    with suppress(httpx.RemoteProtocolError):  # gRPC speaks HTTP/2 alone
                        client.get(with_port)
            yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        finally:
            process.terminate()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_one_trace_over_two_services(
    protocol: str, environment: pytest.MonkeyPatch, collector: Collector, tmp_path: Path
) -> None:
    """The called service's span under the caller's, each log record with its span."""
    (tmp_path / "rotel_shop.py").write_text(SHOP, encoding="utf-8")
    command = ["-m", "asgi_trace", "run", "uvicorn", "--app-dir", str(tmp_path), "rotel_shop:app"]
    names = [f"front by {protocol}", f"stock by {protocol}"]
    request_id = generate_request_id()
    with rotel(collector) as addresses:
        environment.setenv("ASGI_TRACE_OTEL", "1")
        environment.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", addresses[protocol])
        servers = []
        for name in names:
            environment.setenv("OTEL_SERVICE_NAME", name)
            servers.append(Server([*command, "--port", "{port}"]))
        front, stock = servers
        try:
            with front.client() as client:
                url = f"/work/m7654321?stock=http://127.0.0.1:{stock.port}"
                client.get(url, headers={"x-request-id": request_id})
        finally:
            for server in servers:
                server.stop()
        spans = {
            span["service"]: span for span in collector.spans(2, trace_id=request_id, kind="SERVER")
        }
        assert sorted(spans) == names
        (call,) = collector.spans(1, trace_id=request_id, kind="CLIENT")
        assert spans[names[1]]["parent_span_id"] == call["span_id"]
        assert call["parent_span_id"] == spans[names[0]]["span_id"]
        assert {span["name"] for span in spans.values()} == {"GET /work/{marker}"}
        for name in names:
            (log,) = collector.logs(1, service=name, trace_id=request_id, logger="shop")
            assert log["span_id"] == spans[name]["span_id"]
            found = collector.metrics(1, service=name, name="http.server.request.duration")
            assert found[-1]["attributes"]["http.route"] == "/work/{marker}"
