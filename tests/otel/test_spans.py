"""What a real OTLP receiver has got from real servers, beside their log lines and responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from asgi_trace import generate_request_id

from ..servers.harness import Server
from .conftest import Collector

SERVERS = {
    "uvicorn": ["-m", "uvicorn", "shop:app", "--port", "{port}"],
    "hypercorn": ["-m", "hypercorn", "shop:app", "--bind", "127.0.0.1:{port}"],
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch) -> Iterator[Server]:
    environment.setenv("OTEL_SERVICE_NAME", request.param)
    server = Server(SERVERS[request.param])
    yield server
    server.stop()


def lines_of(server: Server, request_id: str) -> list[dict[str, Any]]:
    server.settle()
    lines = [json.loads(line.text) for line in server.lines if line.text.startswith("{")]
    return [line for line in lines if line.get("request_id") == request_id]


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    with server.client() as client:
        return client.get(path, headers=headers)


def test_a_request_is_a_span_with_the_ids_of_its_lines(
    server: Server, collector: Collector
) -> None:
    """
    The request id is the trace-id, wherever it is; the app's spans are under it, and so is the next
    service.
    """
    response = get(
        server,
        "/items/7?token=hush&page=2",
        **{"X-Session-ID": "abc12345", "User-Agent": "shopper"},
    )
    request_id = response.headers["x-request-id"]
    spans = {span["name"]: span for span in collector.spans(4, trace_id=request_id)}
    assert spans.keys() == {"GET /items/{item}", "handler", "task", "thread"}
    root = spans.pop("GET /items/{item}")
    assert (root["kind"], root["parent_span_id"], root["status"], root["events"]) == (
        "SERVER",
        "",
        "UNSET",
        [],
    )
    assert {span["parent_span_id"] for span in spans.values()} == {root["span_id"]}
    assert root["attributes"] == {
        "http.request.method": "GET",
        "http.route": "/items/{item}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/items/7",
        "url.query": "token=***&page=2",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "user_agent.original": "shopper",
        "session.id": "abc12345",
        "asgi_trace.request_id": request_id,
    }
    lines = lines_of(server, request_id)
    assert len(lines) >= 4
    assert {(line["trace_id"], line["span_id"], line["session_id"]) for line in lines} == {
        (request_id, root["span_id"], "abc12345")
    }
    assert response.json()["outgoing"]["traceparent"] == f"00-{request_id}-{root['span_id']}-03"


def test_the_caller_is_the_parent(server: Server, collector: Collector) -> None:
    """Its trace, its decision to sample, its tracestate and its baggage go on."""
    trace_id, span_id = generate_request_id(), "00f067aa0ba902b7"
    parent = f"00-{trace_id}-{span_id}-01"
    response = get(server, "/items/8", traceparent=parent, tracestate="rojo=1", baggage="tier=gold")
    root = next(span for span in collector.spans(4, trace_id=trace_id) if span["kind"] == "SERVER")
    assert (root["parent_span_id"], root["trace_state"]) == (span_id, "rojo=1")
    assert {line["span_id"] for line in lines_of(server, response.headers["x-request-id"])} == {
        root["span_id"]
    }
    assert response.json()["outgoing"]["traceparent"] == f"00-{trace_id}-{root['span_id']}-01"
    assert response.json()["baggage"] == {"tier": "gold"}


def test_what_the_caller_does_not_sample_is_not_exported(
    server: Server, collector: Collector
) -> None:
    """The lines have ids all the same, and so has the next service, with the flag as it came."""
    trace_id = generate_request_id()
    response = get(server, "/items/9", traceparent=f"00-{trace_id}-{'b' * 16}-00")
    request_id = response.headers["x-request-id"]
    lines = lines_of(server, request_id)
    assert {line["trace_id"] for line in lines} == {trace_id}
    (span_id,) = {line["span_id"] for line in lines}
    assert response.json()["outgoing"]["traceparent"] == f"00-{trace_id}-{span_id}-00"
    # A later request's span is here: earlier ones would be too.
    collector.spans(1, trace_id=get(server, "/items/9").headers["x-request-id"])
    assert [span for span in collector.spans(1) if span["trace_id"] == trace_id] == []


def test_a_crash_is_an_error_and_recorded_once(server: Server, collector: Collector) -> None:
    """With its type, its message and where it happened; whatever characters are in it."""
    request_id = get(server, "/crash").headers["x-request-id"]
    (root,) = collector.spans(1, trace_id=request_id)
    assert (root["name"], root["status"]) == ("GET /crash", "ERROR")
    assert root["attributes"]["http.response.status_code"] == 500
    assert root["attributes"]["error.type"] == "LookupError"
    (event,) = root["events"]
    assert (event["name"], event["exception.type"]) == ("exception", "LookupError")
    assert event["exception.message"] == r"no such \udcff thing"
    assert "in crash" in event["exception.stacktrace"]


@pytest.mark.parametrize(
    ("path", "name", "code"), [("/busy", "GET /busy", 503), ("/nowhere", "GET", 404)]
)
def test_a_status_tells_an_error_from_a_mistake(
    server: Server, collector: Collector, path: str, name: str, code: int
) -> None:
    """5xx is an error of ours, 4xx is not; without a route the name has no path in it."""
    (root,) = collector.spans(1, trace_id=get(server, path).headers["x-request-id"])
    assert (root["name"], root["attributes"]["http.response.status_code"]) == (name, code)
    assert (root["status"], root["attributes"].get("error.type")) == (
        ("ERROR", "503") if code == 503 else ("UNSET", None)
    )


def test_a_websocket_is_one_span(server: Server, collector: Collector) -> None:
    """From its handshake to its end."""
    request_id = generate_request_id()
    url = f"ws://127.0.0.1:{server.port}/rooms/blue"
    with connect(url, additional_headers={"X-Request-ID": request_id}, proxy=None) as socket:
        assert socket.recv() == "blue"
    spans = {span["name"]: span for span in collector.spans(2, trace_id=request_id)}
    root = spans["GET /rooms/{room}"]
    assert root["kind"] == "SERVER"
    assert root["attributes"]["http.response.status_code"] == 101
    assert root["attributes"]["url.scheme"] == "ws"
    assert spans["room"]["parent_span_id"] == root["span_id"]


def test_log_records_have_the_ids_of_their_lines(server: Server, collector: Collector) -> None:
    """Over OTLP too: in a child's span the child's, else the request's; behind its end as well."""
    request_id = get(server, "/items/7", **{"X-Session-ID": "abc12345"}).headers["x-request-id"]
    spans = {span["name"]: span["span_id"] for span in collector.spans(4, trace_id=request_id)}
    logs = {log["message"]: log for log in collector.logs(4, trace_id=request_id, logger="shop")}
    assert {message: log["span_id"] for message, log in logs.items()} == {
        "item 7": spans["GET /items/{item}"],
        "in handler": spans["handler"],
        "in task": spans["task"],
        "in thread": spans["thread"],
    }
    assert logs["item 7"]["attributes"] == {
        "session.id": "abc12345",
        "asgi_trace.request_id": request_id,
    }


def test_the_servers_line_of_a_crash_is_exported_with_its_request(
    server: Server, collector: Collector
) -> None:
    """It is logged when the span is over."""
    request_id = get(server, "/crash").headers["x-request-id"]
    (root,) = collector.spans(1, trace_id=request_id)
    (told,) = collector.logs(
        1, trace_id=request_id, span_id=root["span_id"], logger=f"{root['service']}.error"
    )
    assert told["attributes"]["exception.type"] == "LookupError"
