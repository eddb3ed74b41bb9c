"""``OTEL_PROPAGATORS``: the formats of B3 and Jaeger are read and written, beside W3C's."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ..servers.harness import PATIENCE, ROOT

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

PROGRAM = """
import asyncio, json, sys
import httpx
from opentelemetry import trace
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
        app = RequestTracingMiddleware(RequestSpans(shop), **options)
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


@pytest.mark.parametrize("propagators", CASES)
def test_a_format_is_read_and_written(propagators: str) -> None:
    """Where the client is trusted; W3C's headers go out all the same."""
    headers, name, value = CASES[propagators]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(headers)],
        env={**os.environ, "OTEL_PROPAGATORS": propagators, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    (trace_id, span_id, parent, sent), (other, _, unknown, _) = json.loads(done.stdout)
    assert (trace_id, parent) == (TRACE, SPAN)
    assert sent[name] == value.format(span=span_id)
    assert sent["traceparent"][:52] == f"00-{TRACE}-{span_id}"
    assert (other != TRACE, unknown) == (True, None)
