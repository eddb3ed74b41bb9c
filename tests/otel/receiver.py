"""
An OTLP receiver: takes spans and log records over HTTP, as exporters send them, and tells what has come.

Knows OpenTelemetry's own messages (opentelemetry-proto) and nothing of ours. Runs as a process of its own:
``python receiver.py`` prints its port.
"""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATIENCE = 60

more = threading.Condition()
received: dict[str, list[dict[str, Any]]] = {"spans": [], "logs": []}


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def attributes(pairs: list[KeyValue]) -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in pairs}


def read_spans(body: bytes) -> list[dict[str, Any]]:
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
            "events": [{"name": event.name, **attributes(event.attributes)} for event in span.events],
            "duration": span.end_time_unix_nano - span.start_time_unix_nano,
        }
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def read_logs(body: bytes) -> list[dict[str, Any]]:
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
        for group in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
    ]


SIGNALS = {
    "/v1/traces": ("spans", read_spans, ExportTraceServiceResponse()),
    "/v1/logs": ("logs", read_logs, ExportLogsServiceResponse()),
}


class Receiver(BaseHTTPRequestHandler):
    """``POST`` is OTLP; ``GET /spans?count=2&trace_id=…`` waits until there are as many, and answers with them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        name, read, response = SIGNALS[self.path]
        found = read(body)
        with more:
            received[name] += found
            more.notify_all()
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
    print(server.server_port, flush=True)
    server.serve_forever()
