"""
The README's two services, with ``ASGI_TRACE_OTEL=1``: what their receiver has, beside what their
logs have.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asgi_trace import generate_request_id

from ..unit.outgoing.test_services import Service, buy, services
from .conftest import Collector

SPAN = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch
) -> Iterator[tuple[Service, Service]]:
    environment.setenv("ASGI_TRACE_OTEL", "1")
    environment.setenv("ASGI_TRACE_FORMAT", "json")
    with services(tmp_path_factory.mktemp("services"), "asgi_trace run") as pair:
        yield pair


@pytest.mark.parametrize("traced", [False, True], ids=["first", "called"])
def test_one_request_is_one_tree(
    pair: tuple[Service, Service], collector: Collector, traced: bool
) -> None:
    """
    The second service's span is under the first's call; one trace and one session on all lines of both
    logs.
    """
    request_id = trace_id = generate_request_id()
    headers = {"X-Request-ID": request_id, "X-Session-ID": "abc12345"}
    if traced:
        trace_id = generate_request_id()
        headers["traceparent"] = f"00-{trace_id}-{SPAN}-01"
    front, stock = pair
    buy(front, stock, headers)
    lines = [line for line in front.traced() + stock.traced() if line["request_id"] == request_id]
    messages = " ".join(line["message"] for line in lines)
    assert all(
        each in messages
        for each in ("Buying", "Reserving", "Shipping", "POST /buy", "POST /reserve")
    ), messages
    assert {(line["trace_id"], line["session_id"]) for line in lines} == {(trace_id, "abc12345")}

    spans = {span["service"]: span for span in collector.spans(2, trace_id=trace_id, kind="SERVER")}
    assert {service: span["name"] for service, span in spans.items()} == {
        "front": "POST /buy",
        "stock": "POST /reserve",
    }
    assert spans["front"]["parent_span_id"] == (SPAN if traced else "")
    assert (front.span("Buying"), stock.span("Reserving")) == tuple(
        spans[name]["span_id"] for name in ("front", "stock")
    )
    # Whatever is between the two, such as FastAPI's span of the endpoint that makes the call, is
    # the first's.
    between = {
        span["span_id"]: span for span in collector.spans(2, trace_id=trace_id, service="front")
    }
    caller = spans["stock"]["parent_span_id"]
    call = between[caller]
    assert (call["kind"], call["name"], call["scope"]) == ("CLIENT", "POST", "asgi_trace")
    assert call["attributes"]["url.full"] == f"http://127.0.0.1:{stock.port}/reserve"
    assert call["attributes"]["http.response.status_code"] == 200
    while caller in between and caller != spans["front"]["span_id"]:
        caller = between[caller]["parent_span_id"]
    assert caller == spans["front"]["span_id"]

    # Asked for by name, for the servers' own lines may be exported first.
    for message in ("Buying", "Reserving", "Shipping"):
        (log,) = collector.logs(1, trace_id=trace_id, message=message)
        assert log["attributes"]["session.id"] == "abc12345"
