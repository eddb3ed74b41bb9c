"""What goes along to the next hop, in every shape of headers, and what comes out of them there."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import re
from collections.abc import Callable
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import MutableHeaders

from asgi_trace import (
    RequestMetadata,
    RequestTracingMiddleware,
    TraceContext,
    bound_carrier,
    bound_request_metadata,
    carrier,
    extract,
    get_request_id,
    get_request_metadata,
    get_session_id,
    get_trace_context,
    inject,
    session_id_ctx,
)

from ...asgi import hello, http_scope, step

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
INBOUND = {
    "traceparent": f"00-{TRACE}-{SPAN}-03",
    "tracestate": "rojo=1,congo=2",
    "baggage": "userId=alice",
    "x-request-id": "a1b2c3d4",
    "x-session-id": "abc12345",
}
STALE = {
    "TraceParent": "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-00",
    "TRACESTATE": "old=1",
    "X-Request-Id": "old",
    "x-request-id": "older",
    "Accept": "*/*",
}


def bound() -> Any:
    """A request that came with everything."""
    return bound_carrier(INBOUND)


def pairs(headers: Any) -> list[tuple[str, str]]:
    found = headers.items() if hasattr(headers, "items") else headers
    text = [
        tuple(each.decode() if isinstance(each, bytes) else each for each in pair) for pair in found
    ]
    return sorted((name.lower(), value) for name, value in text)  # type: ignore[misc]


SHAPES: dict[str, Any] = {
    "dict": dict,
    "dict of bytes": lambda headers: {
        name.encode(): value.encode() for name, value in headers.items()
    },
    "list": lambda headers: list(headers.items()),
    "list of lists": lambda headers: [list(pair) for pair in headers.items()],
    "list of bytes": lambda headers: [
        (name.encode(), value.encode()) for name, value in headers.items()
    ],
    "httpx": lambda headers: httpx.Headers(list(headers.items())),
    "urllib3": lambda headers: urllib3.HTTPHeaderDict(list(headers.items())),
    "starlette": lambda headers: MutableHeaders(
        raw=[(k.lower().encode(), v.encode()) for k, v in headers.items()]
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_headers_of_every_shape_are_injected_into(shape: str) -> None:
    """In place; what is there by our names, in any case, gives way; and all else stays."""
    headers = SHAPES[shape](STALE)
    with bound():
        assert inject(headers, baggage=True) is headers
    (parent,) = [value for name, value in pairs(headers) if name == "traceparent"]
    assert re.fullmatch(f"00-{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-03", parent)
    assert pairs(headers) == [
        ("accept", "*/*"),
        ("baggage", "userId=alice"),
        ("traceparent", parent),
        ("tracestate", "rojo=1,congo=2"),
        ("x-request-id", "a1b2c3d4"),
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_injected_is_extracted(shape: str) -> None:
    """One hop on: the same ids, in the same trace, with a span of its own."""
    with bound() as here:
        headers = inject(SHAPES[shape]({}), session=True, baggage=True)
    there = extract(headers)
    assert there is not None
    assert (there.request_id, there.session_id, there.trace_id) == ("a1b2c3d4", "abc12345", TRACE)
    assert (there.tracestate, there.baggage) == ("rojo=1,congo=2", "userId=alice")
    assert there.parent_span_id not in (None, SPAN, here.span_id)
    assert there.span_id not in (there.parent_span_id, here.span_id)
    assert there.trace.flags == 3


def test_a_session_goes_only_where_it_is_asked_for() -> None:
    """A session that the app itself has put there is the app's."""
    with bound():
        assert "x-session-id" not in inject({})
        assert inject({}, session=True)["x-session-id"] == "abc12345"
        assert inject({"X-Session-ID": "own"})["X-Session-ID"] == "own"
        assert pairs(inject({"X-Session-ID": "own"}, session=True))[-1] == (
            "x-session-id",
            "abc12345",
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_baggage_goes_only_where_it_is_asked_for(shape: str) -> None:
    """Merged by its keys: members that another propagator has put there stay."""
    with bound():
        assert "baggage" not in dict(pairs(inject(SHAPES[shape]({}))))
        own = {"Baggage": "own=1;p=2, userId=bob"}
        assert dict(pairs(inject(SHAPES[shape](own))))["baggage"] == own["Baggage"]
        merged = dict(pairs(inject(SHAPES[shape]({"Baggage": "own=1;p=2"}), baggage=True)))
        assert merged["baggage"] == "own=1;p=2,userId=alice"
        assert (
            dict(pairs(inject(SHAPES[shape](own), baggage=True)))["baggage"]
            == "own=1;p=2,userId=bob"
        )


def test_outside_a_request_nothing_changes() -> None:
    headers = dict(STALE)
    assert inject(headers, session=True) is headers
    assert headers == STALE
    assert (carrier(), get_trace_context()) == ({}, None)


def span_of_call() -> str:
    """The span id that the next call of the current request gets."""
    return str(inject({})["traceparent"][36:52])


def test_each_call_is_a_span_of_its_own() -> None:
    with bound():
        assert len({inject({})["traceparent"] for _ in range(3)}) == 3


def test_a_call_leads_back_to_the_span_of_its_request() -> None:
    """Its first twelve digits are those of the request; behind them the calls are counted."""
    with bound() as request:
        spans = [span_of_call() for _ in range(3)]
        assert spans == [f"{request.span_id[:12]}{number:04x}" for number in (1, 2, 3)]


@pytest.mark.parametrize("own", ["1234567890ab0002", "0000000000000001", "ffffffffffffffff"])
def test_the_span_of_a_call_is_used_once(own: str) -> None:
    """Also after more calls than the counter has numbers; then the whole id is random."""
    request = RequestMetadata()
    request._late_values()["own_ids"] = ("", own)
    assert request.span_id == own
    spans = [request._call_span_id(own) for _ in range(0x10003)]
    assert len({*spans, own, "0" * 16}) == len(spans) + 2
    counted = [span for span in spans if span[:12] == own[:12]]
    assert (len(counted), counted) == (0xFFFE, spans[:0xFFFE])


def test_a_request_in_two_contexts_counts_its_calls_once() -> None:
    with bound() as request:
        spans = [span_of_call()]
        token = session_id_ctx.set("other")
        spans.append(span_of_call())
        session_id_ctx.reset(token)
        spans.append(span_of_call())
    assert spans == [f"{request.span_id[:12]}{number:04x}" for number in (1, 2, 3)]


def test_copies_of_a_request_never_use_the_same_span() -> None:
    """A copy has the same span, and does not know what the others have called."""
    with bound() as request:
        spans = [span_of_call()]
        copies = [copy.copy(request), copy.deepcopy(request), pickle.loads(pickle.dumps(request))]
    for each in copies:
        with bound_request_metadata(each):
            assert each.span_id == request.span_id
            spans += [span_of_call(), span_of_call()]
    assert len(set(spans)) == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_does_not_use_the_spans_of_its_parents_calls() -> None:
    context = multiprocessing.get_context("fork")
    with bound():
        spans = [span_of_call()]
        queue = context.SimpleQueue()
        child = context.Process(target=lambda: queue.put([span_of_call(), span_of_call()]))
        child.start()
        spans += queue.get()
        child.join(60)
        spans += [span_of_call(), span_of_call()]
    assert len(set(spans)) == 5


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "müller", "", "x" * 129])
def test_an_id_that_no_header_may_have_is_not_sent(value: str) -> None:
    """Set by hand, an id can be anything; the trace goes on without it."""
    with bound_request_metadata(RequestMetadata(value, value)):
        assert [name for name, _ in pairs(inject({}, session=True))] == ["traceparent"]


def test_a_tracers_own_context_can_be_taken() -> None:
    """Where another has made a span for the request, lines and calls are in its trace."""
    metadata = RequestMetadata(request_id="a1")
    metadata.trace = TraceContext(TRACE, SPAN, 1, None)
    with bound_request_metadata(metadata):
        assert get_trace_context() == (TRACE, SPAN, 1, None)
        assert inject({})["traceparent"].startswith(f"00-{TRACE}-")


def test_a_requests_baggage_goes_on_without_a_trace() -> None:
    """It has nothing to do with one."""
    scope = http_scope([(b"baggage", b"userId=alice"), (b"tracestate", b"rojo=1")])
    step(RequestTracingMiddleware(hello), scope)
    metadata = scope["asgi_trace"]
    assert (metadata.baggage, metadata.tracestate, metadata.parent_span_id) == (
        "userId=alice",
        "",
        None,
    )


def test_who_is_not_trusted_tells_nothing() -> None:
    scope = http_scope([(name.encode(), value.encode()) for name, value in INBOUND.items()])
    step(RequestTracingMiddleware(hello, trust_inbound=False), scope)
    metadata = scope["asgi_trace"]
    assert (metadata.baggage, metadata.tracestate, metadata.parent_span_id) == ("", "", None)
    assert metadata.trace_id == metadata.request_id


@given(
    st.one_of(
        st.dictionaries(
            st.sampled_from([*INBOUND, "X"]),
            st.one_of(st.none(), st.binary(), st.text(), st.integers()),
        ),
        st.lists(
            st.tuples(
                st.sampled_from([*INBOUND, b"baggage", 7, None]), st.one_of(st.binary(), st.text())
            )
        ),
        st.none(),
        st.text(),
        st.integers(),
        st.lists(st.integers()),
    )
)
def test_whatever_comes_with_a_message_is_borne(headers: Any) -> None:
    """Broken headers are none; what is taken over is as safe as a request's."""
    found = extract(headers)
    if found is not None:
        with bound_request_metadata(found):
            sent = inject({}, session=True)
        assert [value for value in sent.values() if not re.fullmatch("[ -~]+", value)] == []
        assert re.fullmatch("[A-Za-z0-9._~+/=:@-]{1,128}", found.request_id or "")


def test_a_job_has_the_ids_of_its_request() -> None:
    """After a way through JSON; and afterwards, what was there before."""
    with bound():
        sent = json.loads(json.dumps(carrier()))
    with bound_carrier(sent) as job:
        assert job is get_request_metadata()
        assert (get_request_id(), get_session_id()) == ("a1b2c3d4", "abc12345")
    assert get_request_id() is None


@pytest.mark.parametrize("nothing", [None, {}, {"traceparent": "x"}, [], 7])
def test_a_job_of_nobodys_has_no_ids(nothing: Any) -> None:
    """Not those of whatever request the worker runs in, either."""
    with bound(), bound_carrier(nothing) as job:
        assert job is None
        assert get_request_id() is None


def attributes(**kinds: str) -> Any:
    """Return what makes attributes of a message: *kinds* of values, by the names they stand under."""
    ((name, kind),) = kinds.items()
    return lambda sent: {key: {name: value, kind: "String"} for key, value in sent.items()}


# As libraries give the headers of a message or call to those who receive it.
RECEIVED: dict[str, Callable[[dict[str, str]], Any]] = {
    "gRPC metadata": lambda sent: tuple(sent.items()),
    "lists of values": lambda sent: {name: [value] for name, value in sent.items()},
    "lists of bytes": lambda sent: {name: [value.encode()] for name, value in sent.items()},
    "SQS by boto3": attributes(StringValue="DataType"),
    "SQS by Lambda": attributes(stringValue="dataType"),
    "SNS": attributes(Value="Type"),
    "binary attributes": lambda sent: {
        name: {"BinaryValue": value.encode(), "DataType": "Binary"} for name, value in sent.items()
    },
    "Kafka": lambda sent: [(name, value.encode()) for name, value in sent.items()],
    "views of memory": lambda sent: [
        (name, memoryview(value.encode())) for name, value in sent.items()
    ],
}


@pytest.mark.parametrize("shape", RECEIVED)
def test_what_was_received_is_extracted(shape: str) -> None:
    """In the shape that the library gives it."""
    with bound():
        sent = carrier()
    there = extract(RECEIVED[shape](sent))
    assert there is not None
    assert (there.request_id, there.session_id, there.trace_id) == ("a1b2c3d4", "abc12345", TRACE)


def test_a_value_of_another_kind_is_none() -> None:
    """A number, an empty list, attributes without a value, lists in lists: as if it were not there."""
    for value in (7, [], {}, {"DataType": "String"}, [["a1b2c3d4"]], {"StringValue": {}}, None):
        assert extract({"x-request-id": value}) is None
    # Of two parents either may be right: the trace is a new one.
    two = [f"00-{TRACE}-{SPAN}-01"] * 2
    there = extract({"x-request-id": "a1b2c3d4", "traceparent": two})
    assert there is not None
    assert there.trace_id != TRACE


def test_a_carrier_for_kafka_is_pairs_of_bytes() -> None:
    with bound():
        pairs_of_bytes = carrier(bytes=True)
        assert [(name, value.decode()) for name, value in pairs_of_bytes][1:] == [
            *carrier().items()
        ][1:]
    assert {type(value) for _, value in pairs_of_bytes} == {bytes}
    there = extract(pairs_of_bytes)
    assert there is not None
    assert there.request_id == "a1b2c3d4"
    assert carrier(bytes=True) == []


def test_a_process_reads_its_environment() -> None:
    with bound():
        environment = {"PATH": "/bin", "TRACEPARENT": carrier()["traceparent"]}
    there = extract(environment)
    assert there is not None
    assert there.trace_id == TRACE


@pytest.mark.parametrize(
    "headers", [(("a", "hush"),), MappingProxyType({"a": "hush"}), "hush", iter([("a", "hush")])]
)
def test_headers_that_cannot_be_changed_are_refused(headers: Any) -> None:
    """Inside a request and outside, with a remedy and without what they hold."""
    for inside in (bound(), nullcontext()):
        with inside, pytest.raises(TypeError, match=r"expected a dict or a list") as raised:
            inject(headers)
        assert type(headers).__name__ in str(raised.value)
        assert "hush" not in str(raised.value)
