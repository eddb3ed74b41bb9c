"""``OTEL_PROPAGATORS``: the formats of B3 and Jaeger are read and written, beside W3C's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from ..servers.harness import PATIENCE, ROOT

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

PROGRAM = """
import asyncio, json, sys
import httpx
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from asgi_trace import RequestTracingMiddleware, get_request_metadata, inject
from asgi_trace.otel import RequestSpans

trace.set_tracer_provider(TracerProvider())
told = []


async def shop(scope, receive, send):
    request = get_request_metadata()
    told.append([request.trace_id, request.span_id, request.parent_span_id, inject({})])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def main():
    for options in ({}, {"trust_inbound": False}):
        app = OpenTelemetryMiddleware(shop) if sys.argv[2] == "inside" else shop
        app = RequestTracingMiddleware(RequestSpans(app), **options)
        app = OpenTelemetryMiddleware(app) if sys.argv[2] == "around" else app
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            await client.get("/", headers=json.loads(sys.argv[1]))


asyncio.run(main())
print(json.dumps(told))
"""

CASES = {
    "b3": ({"b3": f"{TRACE}-{SPAN}-1"}, "b3", f"{TRACE}-{{span}}-1"),
    "b3multi": (
        {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "1"},
        "x-b3-spanid",
        "{span}",
    ),
    "tracecontext,jaeger": (
        {"uber-trace-id": f"{TRACE}:{SPAN}:0:1"},
        "uber-trace-id",
        f"{TRACE}:{{span}}:0000000000000000:03",
    ),
}


def run(propagators: str, maker: str) -> list[Any]:
    """Return what the app saw, and what it sends, where *maker* says who makes the SERVER span."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(CASES[propagators][0]), maker],
        env={**os.environ, "OTEL_PROPAGATORS": propagators, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("propagators", CASES)
def test_a_format_is_read_and_written(propagators: str) -> None:
    """Where the client is trusted; W3C's headers go out all the same."""
    _, name, value = CASES[propagators]
    (trace_id, span_id, parent, sent), (other, _, unknown, _) = run(propagators, "ours")
    assert (trace_id, parent) == (TRACE, SPAN)
    assert sent[name] == value.format(span=span_id)
    assert sent["traceparent"][:52] == f"00-{TRACE}-{span_id}"
    assert (other != TRACE, unknown) == (True, None)


@pytest.mark.parametrize("maker", ["inside", "around"])
@pytest.mark.parametrize("propagators", CASES)
def test_a_format_is_written_beside_an_instrumentation(propagators: str, maker: str) -> None:
    """It makes the SERVER span and reads the format; the calls are ours."""
    _, name, value = CASES[propagators]
    trace_id, span_id, parent, sent = run(propagators, maker)[0]
    assert (trace_id, parent) == (TRACE, SPAN)
    assert sent[name] == value.format(span=span_id)
    assert sent["traceparent"][:52] == f"00-{TRACE}-{span_id}"
