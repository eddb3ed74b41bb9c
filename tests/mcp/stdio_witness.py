"""
A tool that says in whose trace it works: for servers over HTTP, and a server over stdio by itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from asgi_trace import (
    JSONFormatter,
    get_request_metadata,
    httpx_async_request_hook,
    inject,
)
from asgi_trace.mcp import outgoing_meta, trace_server

from .sdk import sdk

log = logging.getLogger("witness")


class Echo:
    """An HTTP service that answers with the ``traceparent`` that it got."""

    @staticmethod
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            sent = dict(scope["headers"]).get(b"traceparent", b"")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": sent})

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[str]:
        from .conversation import serving

        async with serving(cls.app, lifespan="off") as url:
            yield url


def switch_on() -> Any:
    """Set OpenTelemetry up, its spans kept in memory, and its instrumentation of httpx."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class Exporter(InMemorySpanExporter):
        def told(self) -> list[dict[str, Any]]:
            return [
                {
                    "name": span.name,
                    "kind": span.kind.name,
                    "method": (span.attributes or {}).get("mcp.method.name"),
                    "trace": f"{span.context.trace_id:032x}",
                    "id": f"{span.context.span_id:016x}",
                    "parent": f"{span.parent.span_id:016x}" if span.parent else None,
                    "links": [f"{link.context.span_id:016x}" for link in span.links],
                }
                for span in self.get_finished_spans()
            ]

    exporter, provider = Exporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument()
    return exporter


class Logged(logging.Handler):
    """Keeps the place that the line with each message has."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JSONFormatter())
        self.places: dict[str, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        line = json.loads(self.format(record))
        self.places[line["message"]] = [line["trace_id"], line["span_id"]]


def child() -> list[str | None]:
    """Start a span, and return the trace and the parent that it has."""
    from opentelemetry import trace

    with trace.get_tracer("witness").start_as_current_span("child") as span:
        parent = getattr(span, "parent", None)
        trace_id = f"{span.get_span_context().trace_id:032x}"
        return [trace_id, f"{parent.span_id:016x}" if parent else None]


def register_witness(server: Any, *, uses_spans: bool) -> Any:
    logged = Logged()
    log.addHandler(logged)
    log.setLevel(logging.INFO)

    @server.tool()
    async def work(tag: str, url: str) -> str:
        await asyncio.sleep(0.02)  # so that calls overlap
        log.info(tag)
        metadata = get_request_metadata()
        assert metadata is not None
        hooks: Any = {} if uses_spans else {"request": [httpx_async_request_hook]}
        async with httpx.AsyncClient(event_hooks=hooks, trust_env=False, timeout=60) as client:
            sent = (await client.get(url)).text
        return json.dumps(
            {
                "line": {
                    "trace_id": metadata.trace_id,
                    "span_id": metadata.span_id,
                    "parent_span_id": metadata.parent_span_id,
                },
                "logged": logged.places[tag],
                "inject": inject({})["traceparent"],
                "outgoing_meta": outgoing_meta()["traceparent"],
                "http": sent,
                "child": child() if uses_spans else None,
                "threads_child": await asyncio.to_thread(child) if uses_spans else None,
            }
        )

    return server


if __name__ == "__main__":
    is_on = "on" in sys.argv
    exporter = switch_on() if is_on else None
    server = register_witness(sdk.bare(), uses_spans=is_on)

    @server.tool()
    async def spans() -> str:
        return json.dumps(exporter.told() if exporter else [])

    trace_server(server).run()
