"""
An OTLP receiver: takes spans, log records and metrics over HTTP and gRPC, as exporters send them, and tells
what has come.

Knows OpenTelemetry's own messages (opentelemetry-proto) and nothing of ours. Runs as a process of
its own: ``python receiver.py`` prints its ports, that of HTTP and that of gRPC.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATIENCE = 60

more = threading.Condition()
received: dict[str, list[dict[str, Any]]] = {"spans": [], "logs": [], "metrics": []}


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def attributes(pairs: list[KeyValue]) -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in pairs}


def read_spans(request: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    return [
        {
            "service": attributes(group.resource.attributes).get("service.name"),
            "scope": scope.scope.name,
            "name": span.name,
            "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            "trace_id": span.trace_id.hex(),
            "span_id": span.span_id.hex(),
            "parent_span_id": span.parent_span_id.hex(),
            "trace_state": span.trace_state,
            "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
            "attributes": attributes(span.attributes),
            "events": [
                {"name": event.name, **attributes(event.attributes)} for event in span.events
            ],
            "duration": span.end_time_unix_nano - span.start_time_unix_nano,
        }
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def read_logs(request: ExportLogsServiceRequest) -> list[dict[str, Any]]:
    return [
        {
            "service": attributes(group.resource.attributes).get("service.name"),
            "logger": scope.scope.name,
            "message": plain(record.body),
            "trace_id": record.trace_id.hex(),
            "span_id": record.span_id.hex(),
            "flags": record.flags,
            "attributes": attributes(record.attributes),
        }
        for group in request.resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
    ]


def read_metrics(request: ExportMetricsServiceRequest) -> list[dict[str, Any]]:
    return [
        {
            "service": attributes(group.resource.attributes).get("service.name"),
            "scope": scope.scope.name,
            "name": metric.name,
            "attributes": attributes(point.attributes),
            "value": point.as_int if metric.HasField("sum") else point.count,
            "exemplars": [(each.trace_id.hex(), each.span_id.hex()) for each in point.exemplars],
        }
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        for point in (*metric.sum.data_points, *metric.histogram.data_points)
    ]


def keep(name: str, found: list[dict[str, Any]]) -> None:
    with more:
        received[name] += found
        more.notify_all()


SIGNALS: dict[str, tuple[str, Any, Callable[[Any], list[dict[str, Any]]], Any]] = {
    "/v1/traces": ("spans", ExportTraceServiceRequest, read_spans, ExportTraceServiceResponse()),
    "/v1/metrics": (
        "metrics",
        ExportMetricsServiceRequest,
        read_metrics,
        ExportMetricsServiceResponse(),
    ),
    "/v1/logs": ("logs", ExportLogsServiceRequest, read_logs, ExportLogsServiceResponse()),
}


class Servicer:
    """Of one signal, over gRPC."""

    def __init__(self, path: str) -> None:
        self._signal = SIGNALS[path]

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        name, _, read, response = self._signal
        keep(name, read(request))
        return response


class Receiver(BaseHTTPRequestHandler):
    """
    ``POST`` is OTLP; ``GET /spans?count=2&trace_id=…`` waits until there are as many, and answers
    with them.
    """

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        name, message, read, response = SIGNALS[self.path]
        keep(name, read(message.FromString(body)))
        self.answer(response.SerializeToString(), "application/x-protobuf")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        wanted = dict(parse_qsl(url.query))
        count = int(wanted.pop("count"))

        def matching() -> list[dict[str, Any]]:
            return [each for each in received[url.path[1:]] if wanted.items() <= each.items()]

        with more:
            more.wait_for(lambda: len(matching()) >= count, PATIENCE)
            found = matching() if len(matching()) >= count else received[url.path[1:]]
        self.answer(json.dumps(found).encode(), "application/json")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Be quiet."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    over_grpc = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(Servicer("/v1/traces"), over_grpc)
    add_LogsServiceServicer_to_server(Servicer("/v1/logs"), over_grpc)
    add_MetricsServiceServicer_to_server(Servicer("/v1/metrics"), over_grpc)
    port = over_grpc.add_insecure_port("127.0.0.1:0")
    over_grpc.start()
    print(server.server_port, port, flush=True)
    server.serve_forever()
