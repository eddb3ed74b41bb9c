"""
Where something else makes the SERVER span, around the shim or inside: there is one, and the lines
have its ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from asgi_trace import generate_request_id

from ..servers.harness import Server
from .conftest import Collector
from .test_spans import SERVERS, get, lines_of

# Who makes it, and by what name its spans are known.
NEIGHBOURS = {
    "fastapi": "fastapi",
    "inside": "opentelemetry.instrumentation.fastapi",
    "outside": "opentelemetry.instrumentation.asgi",
}


@pytest.fixture(scope="module", params=NEIGHBOURS)
def neighbour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(neighbour: str, environment: pytest.MonkeyPatch) -> Iterator[Server]:
    environment.setenv("INSTRUMENTED", neighbour)
    environment.setenv("OTEL_SERVICE_NAME", f"beside {neighbour}")
    server = Server(SERVERS["uvicorn"])
    yield server
    server.stop()


@pytest.mark.parametrize("parent", [None, "00f067aa0ba902b7"])
def test_there_is_one_server_span(
    server: Server, neighbour: str, collector: Collector, parent: str | None
) -> None:
    """
    With a caller's span as its parent or without one; the app's spans, log records and calls are
    under it.
    """
    request_id, caller = generate_request_id(), generate_request_id()
    headers = {"X-Request-ID": request_id, "X-Session-ID": "abc12345"}
    if parent:
        headers["traceparent"] = f"00-{caller}-{parent}-01"
    response = get(server, "/items/7", **headers)
    lines = lines_of(server, request_id)
    ((trace_id, span_id, session_id),) = {
        (line["trace_id"], line["span_id"], line["session_id"]) for line in lines
    }
    assert session_id == "abc12345"
    if parent or neighbour != "outside":
        assert trace_id == (caller if parent else request_id)

    (root,) = collector.spans(1, trace_id=trace_id, kind="SERVER")
    assert (root["scope"], root["span_id"], root["parent_span_id"]) == (
        NEIGHBOURS[neighbour],
        span_id,
        parent or "",
    )
    assert root["attributes"]["asgi_trace.request_id"] == request_id
    assert root["attributes"]["session.id"] == "abc12345"
    spans = {span["span_id"]: span for span in collector.spans(4, trace_id=trace_id)}
    (handler,) = [span for span in spans.values() if span["name"] == "handler"]
    while handler["parent_span_id"] not in (parent, ""):
        handler = spans[handler["parent_span_id"]]
    assert handler["span_id"] == span_id
    _, called_in, called_from, _ = response.json()["outgoing"]["traceparent"].split("-")
    assert called_in == trace_id
    assert called_from in {span["span_id"] for span in collector.spans(4, trace_id=trace_id)}


def test_a_crash_is_found_by_its_lines(server: Server, collector: Collector) -> None:
    """The server's line too."""
    request_id = get(server, "/crash").headers["x-request-id"]
    server.wait_for("Exception in ASGI application")
    (told,) = [line for line in lines_of(server, request_id) if line["logger"] == "uvicorn.error"]
    (root,) = collector.spans(1, trace_id=told["trace_id"], kind="SERVER")
    assert (root["span_id"], root["status"]) == (told["span_id"], "ERROR")
    assert json.dumps(told["exception"]).count("in crash") == 1
